#include <utility>

#include "answers/extract_parts.hpp"

namespace rlvr::answers {

using std::string_view_literals::operator""sv;

std::string_view trim_left(std::string_view s) {
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  return s;
}

std::string_view trim(std::string_view s) {
  s = trim_left(s);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}

bool begins_with(std::string_view s, std::string_view word, bool whole) {
  if (s.size() < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (lower(s[i]) != word[i]) return false;
  }
  return !whole || s.size() == word.size() || !is_letter(s[word.size()]);
}

std::size_t first_word(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (begins_with(s, word)) return word.size();
  }
  return 0;
}

bool has_word(std::string_view s, std::initializer_list<std::string_view> words) {
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (!is_letter(s[i]) || (i > 0 && is_letter(s[i - 1]))) continue;
    if (first_word(s.substr(i), words) != 0) return true;
  }
  return false;
}

Extraction finish(std::string_view answer, std::size_t max_bytes) {
  answer = trim(answer);
  if (answer.empty() || answer.size() > max_bytes) return {{}, Status::kMalformed};
  return {answer, Status::kFound};
}

namespace {

constexpr std::string_view kFullBar = "\uFF5C";   // of DeepSeek's tokens
constexpr std::string_view kLowBlock = "\u2581";  // there a space in a token's name

bool take(std::string_view text, std::size_t& at, std::string_view piece) {
  if (text.substr(at, piece.size()) != piece) return false;
  at += piece.size();
  return true;
}

bool among(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view other : names) {
    if (name == other) return true;
  }
  return false;
}

bool is_speaker(std::string_view name) { return name == "user" || name == "human"; }

std::size_t speaker_word(std::string_view s) { return first_word(s, {"user", "human"}); }

// Of a token that a role follows, as in <|im_start|>user: the mark that begins at `at`.
Mark role_mark(std::string_view text, std::size_t at, std::size_t after) {
  while (after < text.size() && is_space(text[after])) ++after;
  const std::size_t length = speaker_word(text.substr(after));
  if (length == 0) return {};
  return {MarkKind::kTurn, at, after + length};
}

// <|channel|>analysis<|message|> and the like begin thoughts, <|channel|>final<|message|> ends
// them.
Mark channel_mark(std::string_view text, std::size_t at, std::size_t after) {
  const bool final = begins_with(text.substr(after), "final");
  if (!final && first_word(text.substr(after), {"analysis", "commentary"}) == 0) return {};
  const std::size_t message = text.substr(after, 64).find("<|message|>");
  const std::size_t end = message == kNone ? after + 5 : after + message + 11;
  return {final ? MarkKind::kThoughtsEnd : MarkKind::kThoughtsBegin, at, end};
}

Mark read_tag(std::string_view text, std::size_t at) {
  std::size_t i = at + 1;
  const bool bar = take(text, i, "|") || take(text, i, kFullBar);
  bool closes = take(text, i, "/");
  char letters[24];
  std::size_t size = 0;
  while (i < text.size() && size < sizeof letters) {
    if (is_letter(text[i]) || text[i] == '_' || text[i] == ':') {
      letters[size++] = lower(text[i++]);
    } else if (take(text, i, kLowBlock)) {
      letters[size++] = '_';
    } else {
      break;
    }
  }
  if (bar && !take(text, i, "|")) take(text, i, kFullBar);
  while (i < text.size() && text[i] == ' ') ++i;
  if (size == 0 || !take(text, i, ">")) return {};
  std::string_view name(letters, size);
  if (name == "answer" && !bar) {
    return {closes ? MarkKind::kAnswerEnd : MarkKind::kAnswerBegin, at, i};
  }
  if (name == "channel" && bar) return channel_mark(text, at, i);
  if (among(name, {"im_start", "start_header_id", "start_of_turn", "start"})) {
    return role_mark(text, at, i);
  }
  if (bar ? among(name, {"im_end", "endoftext", "eot_id", "end_of_text", "end", "eom_id", "return",
                         "end_of_sentence", "end_of_turn", "eos"})
          : among(name, {"eos", "end_of_turn"}) || (name == "s" && closes)) {
    return {MarkKind::kTurn, at, i};
  }
  if (is_speaker(name) && !closes) return {MarkKind::kTurn, at, i};
  for (const std::string_view edge :
       {"begin_of_"sv, "start_of_"sv, "start_"sv, "end_of_"sv, "end_"sv}) {
    if (bar && name.substr(0, edge.size()) == edge) {
      name.remove_prefix(edge.size());
      closes = edge[0] == 'e';
      break;
    }
  }
  if (bar && name == "box") return {closes ? MarkKind::kAnswerEnd : MarkKind::kAnswerBegin, at, i};
  if (among(name, {"think", "thinking", "thought", "thoughts", "reasoning", "scratchpad",
                   "seed:think"})) {
    return {closes ? MarkKind::kThoughtsEnd : MarkKind::kThoughtsBegin, at, i};
  }
  return {};
}

// [THINK] of Magistral, [INST] of Mistral's templates.
Mark read_bracket(std::string_view text, std::size_t at) {
  for (const auto& [name, kind] : {std::pair{"[THINK]"sv, MarkKind::kThoughtsBegin},
                                   {"[/THINK]"sv, MarkKind::kThoughtsEnd},
                                   {"[INST]"sv, MarkKind::kTurn}}) {
    if (text.substr(at, name.size()) == name) return {kind, at, at + name.size()};
  }
  return {};
}

// The thoughts of Kimi: think, or /think, between two triangles.
Mark read_triangle(std::string_view text, std::size_t at) {
  for (const auto& [name, kind] : {std::pair{"\u25C1think\u25B7"sv, MarkKind::kThoughtsBegin},
                                   {"\u25C1/think\u25B7"sv, MarkKind::kThoughtsEnd}}) {
    if (text.substr(at, name.size()) == name) return {kind, at, at + name.size()};
  }
  return {};
}

bool is_decoration(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '*' || c == '_' || c == '#' || c == '>';
}

std::size_t skip_decoration(std::string_view text, std::size_t at) {
  while (at < text.size() && is_decoration(text[at])) ++at;
  return at;
}

std::size_t task_word(std::string_view s) {
  return first_word(s, {"question", "problem", "exercise", "instruction", "instructions", "q"});
}

// A colon at `colon` inside a line: the word before it begins a sentence. "... 5. Human: What ...".
Mark inline_head(std::string_view text, std::size_t colon) {
  std::size_t begin = colon;
  while (begin > 0 && colon - begin < 12 && is_letter(text[begin - 1])) --begin;
  const std::string_view word = text.substr(begin, colon - begin);
  if (word.empty() || !is_upper(word[0]) || begin < 2) return {};
  const bool speaker = speaker_word(word) == word.size();
  if (!speaker && task_word(word) != word.size()) return {};
  std::size_t before = begin;
  while (before > 0 && text[before - 1] == ' ') --before;
  if (before == begin || before == 0) return {};
  constexpr std::string_view kEnds = ".!?)]}$>\"'*`";
  const char last = text[before - 1];
  if (kEnds.find(last) == kNone && !(speaker && is_digit(last))) return {};
  return {speaker ? MarkKind::kTurn : MarkKind::kTask, begin, colon + 1};
}

}  // namespace

Mark read_head(std::string_view text, std::size_t begin) {
  std::size_t i = skip_decoration(text, begin);
  const bool heading = text.substr(begin, i - begin).find_first_of("#*") != kNone;
  const std::size_t adjective =
      first_word(text.substr(i), {"new", "next", "another", "second", "practice", "follow-up"});
  if (adjective != 0) i = skip_decoration(text, i + adjective);
  const std::string_view rest = text.substr(i);
  std::size_t length = task_word(rest);
  const bool task = length != 0;
  if (!task) length = speaker_word(rest);
  const bool speaker = !task && length != 0;
  if (length == 0) length = first_word(rest, {"example", "task"});
  if (length == 0) return {};
  i = skip_decoration(text, i + length);
  const std::size_t number = i;
  while (i < text.size() && is_digit(text[i]) && i - number < 6) ++i;
  const bool numbered = i > number;
  if (!task && !speaker && !numbered) return {};
  i = skip_decoration(text, i);
  const bool colon = i < text.size() && text[i] == ':';
  const bool line_end = i >= text.size() || text[i] == '\n';
  const bool dot = numbered && i < text.size() && (text[i] == '.' || text[i] == ')');
  if (!colon && !(line_end && (heading || numbered)) && !dot) return {};
  if (colon || dot) ++i;
  return {speaker ? MarkKind::kTurn : MarkKind::kTask, begin, i};
}

namespace {

// The head of another problem or turn in a line: of a template without its tokens too, where "user"
// stands alone on a line, and in Chinese.
Mark read_line(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin, 16);
  if (rest.substr(0, 5) == "user\n") return {MarkKind::kTurn, begin, begin + 4};
  for (const std::string_view word : {"\u95EE\u9898"sv, "\u9898\u76EE"sv}) {
    if (rest.substr(0, word.size()) != word) continue;
    const std::string_view behind = rest.substr(word.size());
    if (behind.substr(0, 1) == ":" || behind.substr(0, 3) == "\uFF1A") {
      return {MarkKind::kTask, begin, begin + word.size()};
    }
  }
  return read_head(text, begin);
}

}  // namespace

Mark read_mark(std::string_view text, std::size_t at) {
  if (text[at] == '<') return read_tag(text, at);
  if (text[at] == '[') return read_bracket(text, at);
  if (text[at] == '\xE2') return read_triangle(text, at);
  if (text[at] == '\n') return read_line(text, at + 1);
  // A colon: most follow words that begin no problem, such as "Step 1:" or "we get:".
  std::size_t end = at;
  const auto back = [&](auto skips) {
    for (std::size_t left = 8; left > 0 && end > 0 && skips(text[end - 1]); --left) --end;
  };
  back(is_decoration);
  back(is_digit);
  back(is_decoration);
  std::size_t begin = end;
  while (begin > 0 && end - begin < 12 && is_letter(text[begin - 1])) --begin;
  if (begin == end) return {};
  switch (lower(text[begin])) {  // question, problem, exercise, instruction, user, human, task
    case 'q':
    case 'p':
    case 'e':
    case 'i':
    case 'u':
    case 'h':
    case 't':
      break;
    default:
      return {};
  }
  std::size_t line = begin;
  while (line > 0 && begin - line < 24 && text[line - 1] != '\n') --line;
  if (line == 0 || text[line - 1] == '\n') {
    const Mark head = read_head(text, line);
    if (head.kind != MarkKind::kNone && head.end > at) return head;
  }
  return inline_head(text, at);
}

}  // namespace rlvr::answers
