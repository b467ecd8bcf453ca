// Statements and conjunctions in other languages than English.
#include "answers/extract_parts.hpp"

namespace rlvr::answers {

using std::string_view_literals::operator""sv;

namespace {

// Words for "the answer" in other languages, what may stand between one and its verb, and verbs.
constexpr std::string_view kChosen = "\u6545\u9009";  // "so choose", which needs no verb
constexpr std::string_view kNouns[] = {"r\u00E9ponse"sv,
                                       "reponse"sv,
                                       "respuesta"sv,
                                       "resposta"sv,
                                       "risposta"sv,
                                       "antwort"sv,
                                       "\u043E\u0442\u0432\u0435\u0442"sv,
                                       "\u041E\u0442\u0432\u0435\u0442"sv,
                                       "\u7B54\u6848"sv,
                                       "\u7B54\u3048"sv,
                                       kChosen};
constexpr std::string_view kAdjectives[] = {"finale"sv,  "final"sv,    "correcte"sv, "correcta"sv,
                                            "correta"sv, "corretta"sv, "exacte"sv};
constexpr std::string_view kVerbs[] = {
    "est"sv,         "es"sv,     "ist"sv,    "lautet"sv,
    "sera"sv,        "\u00E9"sv, "\u00E8"sv, "\u0440\u0430\u0432\u0435\u043D"sv,
    "\u662F"sv,      "\u4E3A"sv, "\u70BA"sv, "\u306F"sv,
    "\u7B49\u4E8E"sv};

// The length of the first of the words that s begins with, or 0. No letter follows one that ends in
// a Latin letter.
template <std::size_t kCount>
std::size_t first_of(std::string_view s, const std::string_view (&words)[kCount]) {
  for (const std::string_view word : words) {
    if (begins_with(s, word, is_letter(word.back()))) return word.size();
  }
  return 0;
}

}  // namespace

Statement stated_abroad(std::string_view text) {
  const std::size_t noun = first_of(text, kNouns);
  if (noun == 0) return {};
  std::string_view rest = skip_marks(text.substr(noun));
  rest = skip_marks(rest.substr(first_of(rest, kAdjectives)));
  const bool chosen = text.substr(0, noun) == kChosen;
  const std::size_t verb = first_of(rest, kVerbs);
  rest = skip_marks(rest.substr(verb));
  const bool colon = !rest.empty() && (rest.front() == ':' || rest.substr(0, 3) == "\uFF1A");
  if (colon) rest = skip_marks(rest.substr(rest.front() == ':' ? 1 : 3));
  return {verb != 0 || colon || chosen, rest};
}

bool joins_abroad(std::string_view gap) {
  bool joined = false;
  while (!gap.empty()) {
    const std::size_t length = is_space(gap.front()) ? 1 : delimiter(gap);
    if (length != 0) {
      gap.remove_prefix(length);
      continue;
    }
    if (joined) break;
    std::size_t word = first_word(gap, {"et", "ou", "y", "o", "e", "und", "oder"});
    for (const std::string_view sign :
         {"\u548C"sv, "\u4E0E"sv, "\u6216"sv, "\u53CA"sv, "\u3001"sv, "\uFF0C"sv, "\uFF1B"sv,
          "\u0438 "sv, "\u0438\u043B\u0438 "sv, "\u3068"sv}) {
      if (word == 0 && gap.substr(0, sign.size()) == sign) word = sign.size();
    }
    if (word == 0) return false;
    gap.remove_prefix(word);
    joined = true;
  }
  if (!joined || gap.empty()) return joined;
  const std::size_t equals = gap.find('=');  // "x =", with nothing behind it
  if (equals == kNone || equals > 12 || !is_letter(gap.front())) return false;
  gap.remove_prefix(equals + 1);
  while (!gap.empty()) {
    const std::size_t length = is_space(gap.front()) ? 1 : delimiter(gap);
    if (length == 0) return false;
    gap.remove_prefix(length);
  }
  return true;
}

}  // namespace rlvr::answers
