// What the files of extraction share: characters and words, the marks that shape a text, and one
// function for each policy that is more than a search.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "answers/extract.hpp"

namespace rlvr::answers {

constexpr std::size_t kNone = std::string_view::npos;

inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || is_upper(c); }
inline char lower(char c) { return is_upper(c) ? static_cast<char>(c + 32) : c; }

std::string_view trim(std::string_view s);
std::string_view trim_left(std::string_view s);
// Whether s begins with a word that is all lower case, in any case. `whole`: no letter follows.
bool begins_with(std::string_view s, std::string_view word, bool whole = true);
// The length of the first of the words that s begins with, or 0.
std::size_t first_word(std::string_view s, std::initializer_list<std::string_view> words);
// Whether one of the words stands in s, in any case, with no letters beside it.
bool has_word(std::string_view s, std::initializer_list<std::string_view> words);

// Without the blanks around it; malformed where nothing is left, or more than the limit.
Extraction finish(std::string_view answer, std::size_t max_bytes);

// --- extract_marks.cpp

enum class MarkKind {
  kNone,
  kThoughtsBegin,
  kThoughtsEnd,
  kAnswerBegin,
  kAnswerEnd,
  kTask,  // the head of another problem: "Question:", "## Problem 2", "Q:"
  kTurn,  // another speaker or the end of a turn: "User:", "<|im_start|>user", "<|im_end|>"
};
struct Mark {
  MarkKind kind = MarkKind::kNone;
  std::size_t begin = 0, end = 0;
};
// The mark at a position that Candidates gave.
Mark read_mark(std::string_view text, std::size_t at);
// The head of another problem or turn in the line that begins at `begin`.
Mark read_head(std::string_view text, std::size_t begin);

// --- extract_boxes.cpp

// The position of the brace that closes the brace before begin, or kNone.
std::size_t closing_brace(std::string_view text, std::size_t begin, std::size_t stop);
// Whether the content of a box or tag stands for an answer: "", "...", "your answer".
bool is_placeholder(std::string_view content);
// The length of what TeX and Markdown put around a formula at the beginning of s (delimiters,
// spacing, fonts), or 0.
std::size_t delimiter(std::string_view s);
// end: where the last box of the answer ends, if there is an answer. talked_about: the text has
// boxes, and all of them are talked about only.
struct Boxes {
  Extraction answer;
  std::size_t end = 0;
  bool talked_about = false;
};
Boxes find_boxes(std::string_view text, std::size_t max_bytes, std::string& buffer);
// An answer that is a sentence around a box: what is in the box. Others as they are.
Extraction unbox(std::string_view answer, std::size_t max_bytes, std::string& buffer);

// --- extract_line.cpp

Extraction final_line(std::string_view text, std::size_t max_bytes, std::string& buffer);
// The short answer of the last line "Answer: ..." of text, or nothing.
std::string_view labelled_answer(std::string_view text);

// A statement of the answer in a line.
struct Statement {
  bool present = false;
  std::string_view answer;  // what follows the words, to the end of the line
};
// Without blanks and the marks of emphasis before it.
std::string_view skip_marks(std::string_view s);

// --- extract_languages.cpp

// What follows a word for the answer in another language than English; text begins with the word.
Statement stated_abroad(std::string_view text);
// Whether what stands between two boxes is a conjunction of another language with at most a name
// behind it: "et", "y", "und x =".
bool joins_abroad(std::string_view gap);

// --- extract_code.cpp

// Heads of other problems are told apart from lines of programs here.
Extraction code_block(std::string_view text, std::size_t max_bytes, std::string& buffer);

}  // namespace rlvr::answers
