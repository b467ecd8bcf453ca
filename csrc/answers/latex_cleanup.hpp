// Removes typography from an answer, sign by sign, before the answer is parsed.
#pragma once

#include <string>
#include <string_view>

namespace rlvr::answers {

// Stands for a comma that can only separate thousands: {,} and ,\!
constexpr char kThousands = '\x01';
// Stand for the signs of currencies.
constexpr char kDollar = '\x02', kEuro = '\x03', kPound = '\x04';

// Math delimiters, sizes and spacing dropped, Unicode signs spelt in ASCII. False where
// the answer holds a sign that the parser does not know.
bool clean_latex(std::string_view text, std::string& out);

// The words of an answer that consists of words only ("east", \text{Evelyn}); empty otherwise.
std::string plain_words(std::string_view text);

// Whether word is the name of a unit that may follow a number ("cm", "degrees", "dollars").
bool is_unit(std::string_view word);

}  // namespace rlvr::answers
