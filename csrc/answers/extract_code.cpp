#include <algorithm>
#include <cstring>

#include "answers/extract_parts.hpp"

namespace rlvr::answers {

using std::string_view_literals::operator""sv;

namespace {

// How likely a block is the program that was asked for. Of equal ranks the last block is taken.
enum Rank : int {
  kShown,          // output, input, a command or a summary
  kUntagged,       // no language, and it does not look like a program
  kExample,        // a program that shows how the solution is used
  kOtherLanguage,  // a program in another language than Python
  kProgram,
};

struct Line {
  std::string_view text;  // without its line break
  std::size_t begin, next;
};

Line line_at(std::string_view text, std::size_t begin) {
  const void* at = std::memchr(text.data() + begin, '\n', text.size() - begin);
  if (at == nullptr) return {text.substr(begin), begin, text.size()};
  const auto end = static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
  return {text.substr(begin, end - begin), begin, end + 1};
}

struct Fence {
  char sign = 0;  // ` or ~; 0: the line is no fence
  std::size_t length = 0;
  std::size_t quotes = 0, indent = 0;  // ">" before it, and columns behind these
  std::string_view info;
};

// Removes up to `quotes` signs ">" with a blank each.
std::string_view unquote(std::string_view line, std::size_t quotes) {
  for (; quotes > 0; --quotes) {
    const std::string_view rest = trim_left(line);
    if (rest.empty() || rest.front() != '>') break;
    line = rest.substr(1);
    if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  }
  return line;
}

std::string_view unindent(std::string_view line, std::size_t columns) {
  while (columns > 0 && !line.empty() && (line.front() == ' ' || line.front() == '\t')) {
    line.remove_prefix(1);
    --columns;
  }
  return line;
}

// The number of signs of a fence at i.
std::size_t run_of(std::string_view s, std::size_t i) {
  std::size_t end = i;
  while (end < s.size() && s[end] == s[i]) ++end;
  return end - i;
}

Fence read_fence(std::string_view line) {
  Fence fence;
  std::string_view rest = line;
  std::size_t begin = 0;
  for (;;) {
    rest = trim_left(line.substr(begin));
    if (rest.empty() || rest.front() != '>') break;
    begin = line.size() - rest.size() + 1;
    if (begin < line.size() && line[begin] == ' ') ++begin;
    ++fence.quotes;
  }
  // An item of a list may begin with a fence.
  std::size_t marker = 0;
  if (rest.size() > 1 && (rest[0] == '-' || rest[0] == '*' || rest[0] == '+') && rest[1] == ' ') {
    marker = 2;
  } else {
    while (marker < rest.size() && marker < 3 && is_digit(rest[marker])) ++marker;
    const bool item = marker > 0 && marker + 1 < rest.size() &&
                      (rest[marker] == '.' || rest[marker] == ')') && rest[marker + 1] == ' ';
    marker = item ? marker + 2 : 0;
  }
  rest = trim_left(rest.substr(marker));
  if (rest.empty() || (rest.front() != '`' && rest.front() != '~')) return {};
  fence.length = run_of(rest, 0);
  if (fence.length < 3) return {};
  fence.sign = rest.front();
  fence.indent = line.size() - rest.size() - begin;
  fence.info = rest.substr(fence.length);
  fence.info = trim(fence.info.substr(0, fence.info.find("<|")));  // <|im_end|>
  return fence;
}

// The language of a fence: "python" of "```{.Python title=x}".
std::string_view language(std::string_view info) {
  while (!info.empty() && (info.front() == '{' || info.front() == '.')) info.remove_prefix(1);
  return info.substr(0, info.find_first_of(" \t,{}:"));
}

bool is_python(std::string_view name) {
  for (const std::string_view word : {"python"sv, "py"sv, "python3"sv, "python2"sv, "py3"sv,
                                      "pypy"sv, "pypy3"sv, "cpython"sv, "sage"sv}) {
    if (name.size() == word.size() && begins_with(name, word)) return true;
  }
  return false;
}

bool is_no_program(std::string_view name) {
  for (const std::string_view word :
       {"text"sv,       "txt"sv,        "plaintext"sv, "plain"sv,         "output"sv, "out"sv,
        "console"sv,    "bash"sv,       "sh"sv,        "shell"sv,         "zsh"sv,    "terminal"sv,
        "powershell"sv, "cmd"sv,        "bat"sv,       "json"sv,          "yaml"sv,   "yml"sv,
        "toml"sv,       "xml"sv,        "csv"sv,       "markdown"sv,      "md"sv,     "diff"sv,
        "log"sv,        "stdout"sv,     "stdin"sv,     "input"sv,         "result"sv, "error"sv,
        "traceback"sv,  "pycon"sv,      "latex"sv,     "tex"sv,           "math"sv,   "mermaid"sv,
        "makefile"sv,   "dockerfile"sv, "none"sv,      "shell-session"sv, "pytb"sv,   "ini"sv,
        "tsv"sv,        "example"sv,    "summary"sv}) {
    if (name.size() == word.size() && begins_with(name, word, false)) return true;
  }
  return false;
}

bool is_other_language(std::string_view name) {
  for (const std::string_view word :
       {"c"sv,    "cpp"sv,        "c++"sv,    "java"sv,   "js"sv,      "javascript"sv,
        "ts"sv,   "typescript"sv, "go"sv,     "golang"sv, "rust"sv,    "rs"sv,
        "ruby"sv, "rb"sv,         "r"sv,      "sql"sv,    "html"sv,    "css"sv,
        "php"sv,  "kotlin"sv,     "swift"sv,  "scala"sv,  "haskell"sv, "perl"sv,
        "lua"sv,  "julia"sv,      "csharp"sv, "cs"sv,     "c#"sv,      "matlab"sv}) {
    if (name.size() == word.size() && begins_with(name, word, false)) return true;
  }
  return false;
}

bool looks_like_code(std::string_view code, std::size_t quotes) {
  for (std::size_t begin = 0; begin < code.size();) {
    const Line line = line_at(code, begin);
    const std::string_view s = trim(unquote(line.text, quotes));
    if (first_word(s, {"def", "import", "class", "return", "lambda", "async"}) != 0 &&
        s.size() > 6) {
      return true;
    }
    if (begins_with(s, "from") && has_word(s, {"import"})) return true;
    if (first_word(s, {"for", "while", "if", "with", "try", "else"}) != 0 && s.back() == ':') {
      return true;
    }
    std::size_t name = 0;  // a call or an assignment
    while (name < s.size() && (is_letter(s[name]) || is_digit(s[name]) || s[name] == '_' ||
                               s[name] == '.' || s[name] == ',' || s[name] == ' ')) {
      ++name;
    }
    if (name > 0 && name < s.size() && is_letter(s[0])) {
      if (s[name] == '(' && s[name - 1] != ' ' && s.back() == ')' &&
          s.substr(0, name).find(' ') == kNone && s.substr(0, name) != "O") {  // O(n) is no call
        return true;
      }
      const std::string_view target = trim(s.substr(0, name));
      bool one = true;  // "a, b" is a target, "the total" is not
      for (std::size_t i = 1; i < target.size(); ++i) {
        one = one && (target[i] != ' ' || target[i - 1] == ',');
      }
      if (one && s[name] == '=' && name + 1 < s.size() && s[name + 1] != '=') return true;
    }
    begin = line.next;
  }
  return false;
}

// What the line before a block says that it is.
bool announces_display(std::string_view label) {
  return label.size() <= 80 &&
         has_word(label, {"output", "outputs", "prints", "printed", "result", "results", "input",
                          "inputs", "run", "usage", "console", "terminal", "stdout", "summary",
                          "expected", "returns", "install", "command", "explanation"});
}

bool announces_example(std::string_view label) {
  while (!label.empty() && !is_letter(label.front())) label.remove_prefix(1);
  return label.size() <= 60 &&
         first_word(label, {"usage",        "example usage",   "sample usage",  "example output",
                            "output",       "expected output", "sample output", "example input",
                            "input",        "sample input",    "test",          "test cases",
                            "tests",        "testing",         "example",       "to test",
                            "you can test", "let's test",      "to use",        "how to use",
                            "you can use",  "to run",          "you can run",   "you can call",
                            "trace",        "walkthrough",     "dry run",       "pseudocode",
                            "complexity",   "time complexity"}) != 0;
}

Rank rank_of(const Fence& fence, std::string_view code, std::string_view label) {
  const std::string_view name = language(fence.info);
  if (name.empty()) {
    if (looks_like_code(code, fence.quotes)) return announces_example(label) ? kExample : kProgram;
    return announces_display(label) ? kShown : kUntagged;
  }
  if (is_no_program(name)) return kShown;
  if (announces_example(label)) return kExample;
  return is_python(name) ? kProgram : kOtherLanguage;
}

// Triple quotes toggle: a fence inside a string of a program is no fence.
char string_state(std::string_view line, char open) {
  for (std::size_t i = 0; i + 2 < line.size(); ++i) {
    const char c = line[i];
    if (open == 0 && c == '#') return 0;
    if ((c == '"' || c == '\'') && line[i + 1] == c && line[i + 2] == c &&
        (open == 0 || open == c)) {
      open = open == 0 ? c : 0;
      i += 2;
    }
  }
  return open;
}

bool names_language(const Fence& fence) {
  const std::string_view name = language(fence.info);
  return is_python(name) || is_no_program(name) || is_other_language(name);
}

struct Block {
  std::size_t end = kNone;  // of the code: where the closing fence begins; kNone: not closed
  std::size_t next = 0;     // the line behind the block
  bool reopened = false;    // another block opens before this one is closed
  bool in_string = false;   // it ends inside what looked like a string
};

// Whether a line of code ends with the fence: "print(5)```".
std::size_t closes_at_end(std::string_view line, const Fence& fence) {
  const std::string_view s = trim(line);
  if (s.size() <= fence.length || s.back() != fence.sign || s.front() == '#') return kNone;
  const std::size_t first = s.find(std::string(3, fence.sign));
  if (first == kNone || run_of(s, first) < fence.length) return kNone;
  if (first + run_of(s, first) != s.size()) return kNone;  // another run before it
  return static_cast<std::size_t>(s.data() - line.data()) + first;
}

// Where the block ends whose code begins at `begin`. strings: heed the strings of programs.
Block read_block(std::string_view text, std::size_t begin, const Fence& open, bool strings) {
  Block first;  // where the block ends if what looks like a string is none
  char string = 0;
  std::size_t nested = 0;  // fences that are opened inside the string
  for (std::size_t at = begin; at < text.size();) {
    const Line line = line_at(text, at);
    at = line.next;
    Block close;
    if (line.text.find(open.sign) != kNone) {
      const Fence fence = read_fence(line.text);
      const bool same = fence.sign == open.sign && fence.length >= open.length;
      if (same && names_language(fence) && fence.length == open.length) {
        close = {kNone, line.begin, true};
      } else if (same && fence.info.find(fence.sign) == kNone) {
        close = {line.begin, line.next};  // words may stand behind it
      } else if (const std::size_t tail = closes_at_end(line.text, open); tail != kNone) {
        close = {line.begin + tail, line.next};
      }
    }
    if (close.next != 0) {
      if (string == 0) return close;
      if (close.reopened && first.next != 0) return first;
      if (close.reopened) {
        ++nested;
      } else if (nested > 0) {
        --nested;
      } else if (first.next == 0) {
        first = close;
      }
    }
    if (strings) string = string_state(line.text, string);
  }
  if (first.next == 0) return {kNone, text.size()};
  first.in_string = true;
  return first;
}

Extraction program(std::string_view code, const Fence& fence, std::size_t max_bytes,
                   std::string& buffer) {
  while (!code.empty() && (code.back() == '\n' || code.back() == '\r')) code.remove_suffix(1);
  // Some write the language on the line below the fence.
  if (const Line first = line_at(code, 0);
      fence.sign != 0 && fence.info.empty() && is_python(trim(first.text))) {
    code.remove_prefix(first.next);
  }
  if (trim(code).empty()) return {{}, Status::kMalformed};
  if (fence.quotes > 0 || fence.indent > 0) {
    buffer.clear();
    for (std::size_t begin = 0; begin < code.size();) {
      const Line line = line_at(code, begin);
      buffer += unindent(unquote(line.text, fence.quotes), fence.indent);
      if (line.next < code.size()) buffer += '\n';
      begin = line.next;
    }
    code = buffer;
    if (trim(code).empty()) return {{}, Status::kMalformed};
  }
  if (code.size() > max_bytes) return {{}, Status::kMalformed};
  return {code, Status::kFound};  // leading blanks are indentation: kept
}

}  // namespace

Extraction code_block(std::string_view text, std::size_t max_bytes, std::string& buffer) {
  if (text.find("```") == kNone && text.find("~~~") == kNone) return {};
  bool strings = true;
  int best = -1;
  Fence fence;
  std::string_view code, label;
  bool unfinished = false, empty = false;
  for (std::size_t at = 0; at < text.size();) {
    const Line line = line_at(text, at);
    at = line.next;
    const bool may = line.text.find('`') != kNone || line.text.find('~') != kNone;
    const Fence open = may ? read_fence(line.text) : Fence{};
    if (open.sign == 0) {
      const std::string_view words = trim(line.text);
      if (words.empty()) continue;
      if (best > kUntagged && !announces_example(words) &&
          read_head(text, line.begin).kind != MarkKind::kNone) {
        break;  // a run-on
      }
      label = words;
      continue;
    }
    if (open.info.find(open.sign) != kNone) {  // ```print(5)``` on one line
      std::string_view inner = open.info.substr(0, open.info.find(open.sign));
      const std::string_view name = language(inner);
      if (is_python(name)) inner = trim(inner.substr(name.size()));
      if (best <= kUntagged && !inner.empty()) {
        best = kUntagged, fence = {}, code = inner;
      }
      continue;
    }
    const Block block = read_block(text, at, open, strings);
    // Once is enough: each such block has been read to the end of the text.
    if (block.in_string) strings = false;
    const std::string_view content =
        text.substr(at, std::min(block.end == kNone ? block.next : block.end, text.size()) - at);
    if (block.end == kNone && !block.reopened) {
      const bool stray = trim(content).empty() && open.info.empty() && best >= 0;
      const Rank rank = rank_of(open, content, label);
      unfinished = !stray && rank >= best;
      break;
    }
    if (block.end != kNone && trim(content).empty()) {
      empty = true;
    } else if (block.end != kNone) {
      const int rank = rank_of(open, content, label);
      if (rank >= best) best = rank, fence = open, code = content;
    }
    label = {};
    at = block.next;
  }
  if (unfinished) return {{}, Status::kUnfinished};
  if (best < 0) return {{}, empty ? Status::kMalformed : Status::kMissing};
  return program(code, fence, max_bytes, buffer);
}

}  // namespace rlvr::answers
