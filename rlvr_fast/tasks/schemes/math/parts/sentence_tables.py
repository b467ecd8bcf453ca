"""Words that state an answer in a sentence, lead to it, follow it or deny it."""

from __future__ import annotations

import re

from rlvr_fast.tasks.schemes.math.parts.wording import word_set

__all__ = [
    "AFTER_MARK",
    "CHOSEN",
    "CONCLUDES",
    "DENIES",
    "HEADING",
    "HOPE",
    "LABELLED",
    "LEAD",
    "LEADS_ON",
    "LEFT",
    "MARK",
    "MATHEMATICAL",
    "NAME_IS",
    "NEXT",
    "NOT",
    "NOTE",
    "NOT_THAT",
    "OF_ANOTHER",
    "OPPOSITE",
    "OUTCOMES",
    "PART_OF",
    "SAID",
    "SENTENCE_END",
    "TAIL",
    "TITLE",
    "TO_WHOM",
    "VERB",
    "WORD",
    "YES_NO",
]

DENIES = re.compile(
    r"(?<![A-Za-z])(?:no|not|never|or|either|neither|nor|wrong|incorrect|false|if|unless|maybe|"
    r"perhaps|possibly|might|assuming|claims?|allegedly|supposedly|some|could|"
    r"cannot|wait|but|however|instead|rather|alternatively|unknown|"
    r"impossible|except|whether|suppose|assume|guess|unclear|unsure|doubt|another|other|"
    r"otherwise)(?![A-Za-z])|n't(?![A-Za-z])",
    re.IGNORECASE,
)
_IS = r"(?:is|are|was|were|=|:|equals|will be|would be|must be|should be|has to be|comes out to be)"
MARK = re.compile(
    r"(?<![A-Za-z])(?:(?:the|my|our|your|a|its|this|final|correct|right|required|desired|exact|"
    r"numerical|numeric|complete|overall)\s+)*(?:answers?|ans\.?)"
    rf"(?:\s+(?:to|for|of)\s+(?:the|this|that)\s+(?:\w+\s+)?(?:question|problem|task|exercise))?"
    rf"(?:\s+(?:therefore|thus|then|hence|here|now))?\s*,?\s*{_IS}"
    r"(?:\s+(?:therefore|thus|then|hence|simply|just|indeed|clearly))?\s*:?\s*",
    re.IGNORECASE,
)
# A choice before the sentence: it says more than the sentence.
LABELLED = re.compile(r"(?:\([A-J]\)|[A-J][.):])\s")
# What may stand right before "the answer is": anything else may change it ("twice", "1 -").
LEADS_ON = re.compile(
    r"(?:^|[,;:.!?)\]}\u2014]|(?<![A-Za-z])(?:so|thus|hence|therefore|then|and|that|finally|now|"
    r"means|because|since|conclude|consequently|overall|here|is|i\.e\.|implies|get|find|have))\s*$",
    re.IGNORECASE,
)
AFTER_MARK = re.compile(
    r"(?P<value>.*\S)\s+(?:is|are)\s+(?:the|my|our)\s+(?:final\s+|correct\s+|right\s+)*answers?",
    re.IGNORECASE | re.DOTALL,
)
LEAD = re.compile(
    r"(?:(?:so|hence|thus|therefore|then|and|finally|now|consequently|accordingly|in conclusion|"
    r"overall|altogether|in total|in all|as a result|which means|this means|this gives(?: us)?|"
    r"which gives(?: us)?|that gives(?: us)?|it follows that|we get|we have|we find|"
    r"we obtain|we conclude that|"
    r"i choose|we choose|i select|i got|we got|it must be|"
    r"we see that|i get|i found|i think it is|you get|it is|it's|that is|that's|this is|"
    r"i\.e\.|namely|(?:result|solutions?|solution set|conclusion|domain|range|interval|roots?|"
    r"zeros?|center|vertex)(?= ?:)|"
    r"the (?:ordered (?:pair|triple)|points?|vertex|vector|(?:open |closed )?interval|set)"
    r"(?= ?[(\[{\\])|"
    r"the (?:[a-z]+ ){0,4}?(?:result|value|solution|sum|product|total|number|probability|area|"
    r"volume|length|distance|cost|price|average|mean|difference|ratio|count|amount|perimeter|root|"
    r"point|vertex|coordinate|minimum|maximum|minimum value|maximum value|equation|interval|range|"
    r"polynomial|function|expression|fraction|percentage|integer|solution set|derivative|integral|"
    r"limit|coefficient|slope|inverse|matrix|"
    r"domain|remainder|quotient|radius|diameter|height|width|angle|speed|time|age|term|digit)s?"
    r"(?: of (?:[a-z ]{2,40}?|[a-z](?:\([^()]{1,12}\))?))? (?:is|are|equals|=|:))"
    r"(?![A-Za-z])\s*[,:]?\s*)+",
    re.IGNORECASE,
)
HOPE = re.compile(
    r"\s*[.,;]?\s*(?:I hope (?:it|this|that) (?:is correct|helps)|hope (?:it|this) helps|"
    r"(?:thanks|thank you|done|q\.?e\.?d)\b.{0,20})\s*[.!]*",
    re.IGNORECASE,
)
# A reason may hold figures; a remark may not, save for what the value is a part of.
TAIL = re.compile(
    r"\s*,?\s+(?P<reason>because|since|as (?:we|it|the|there|this|required|"
    r"desired|expected|shown)|due to|by the|for the reason that|"
    r"which follows)"
    r"(?![A-Za-z])|"
    r"\s*,\s*(?P<remark>in total|altogether|in all|overall|in the end|as required|as desired|"
    r"as expected|as claimed|so|hence|thus|therefore|which|that is the|out of)(?![A-Za-z])"
)
PART_OF = re.compile(r"out of (?:the )?\d+", re.IGNORECASE)
VERB = re.compile(
    r"(?P<subject>[A-Za-z][A-Za-z' ,-]{0,100}?)\s+"
    r"(?:(?:will|would|can|must|has to|have to|had to|needs? to|needed to) "
    r"(?:have|be|need|take|pay|give|make|earn|get|cost|spend|save|use|buy|sell|receive|owe|run|"
    r"walk|drive|read|eat|weigh|travel|work|finish in)|"
    r"has|have|"
    r"had|is|are|was|were|gets?|got|earns?|earned|needs?|costs?|makes?|made|equals|takes?|took|"
    r"spends?|spent|saves?|saved|pays?|paid|weighs?|ate|eats?|sold|sells?|bought|buys?|ran|runs?|"
    r"travels?|travelled|traveled|covers?|covered|uses?|used|requires?|contains?|holds?|produces?|"
    r"reads?|drove|drives?|walked|walks?|received|receives?|owes?|scored?|scores?)\s+"
    r"(?P<value>\S.*)",
    re.DOTALL,
)
SAID = re.compile(
    r"(?P<subject>it|he|she|this|(?:the|this|that|its|their) [A-Za-z' -]{2,80}?)\s+"
    r"(?:is|are|was|were|will be|must be)\s+(?P<value>[A-Za-z][A-Za-z' -]{0,60})",
    re.IGNORECASE,
)
OUTCOMES = frozenset({"profit", "loss"})
TITLE = re.compile(r"(?P<title>[A-Za-z]{3,15}(?: [A-Za-z]{2,15}){0,4}) ?: ?(?P<value>\S.*)", re.S)
NAME_IS = re.compile(r"(?P<name>[a-z])\s+(?:is equal to|is|equals)\s+(?P<value>\S.*)", re.DOTALL)
YES_NO = re.compile(
    r"(?P<value>yes|no|true|false)\s*[,.;]\s*(?P<rest>(?:it|they|he|she|this|that|there|the)\s.{2,80})",
    re.IGNORECASE,
)
NOT = re.compile(r"(?<![A-Za-z])(?:not|no|cannot)(?![A-Za-z])|n't(?![A-Za-z])", re.IGNORECASE)
OPPOSITE = re.compile(r"(?<![A-Za-z])(?:yes|no|true|false)(?![A-Za-z])", re.IGNORECASE)
LEFT = re.compile(r"\s+(?:left|remaining|left over|in total|altogether|in all|now)$", re.IGNORECASE)
TO_WHOM = re.compile(r"^(?:him|her|them|us|me|you)\s+", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[\w)\]}])[.!?:]\s+")
# Another sentence, or a figure that is computed: more is said than one reason.
NEXT = re.compile(r"[.!?:;]\s|<<|#")
# "12, not 13": the value, and what it is not.
NOT_THAT = re.compile(
    r"(?P<value>.*\S)\s*,\s*(?:and |but )?not\s+(?P<other>[^,;()]{1,40}?)",
    re.IGNORECASE | re.DOTALL,
)
# Another line, which explains the answer above.
NOTE = re.compile(
    r"\s*[.;]?\s+(?:this is because(?![A-Za-z])|"
    r"(?:explanation|reason|reasoning|check|verification|proof|justification)\s*:)",
    re.IGNORECASE,
)
CONCLUDES = re.compile(
    r"(?:so|thus|hence|therefore|in total|altogether|in all|finally|overall)(?![A-Za-z])",
    re.IGNORECASE,
)
CHOSEN = re.compile(
    r"(?:(?:so|thus|hence|therefore),? )?(?:(?:option|choice|answer) )?(?P<value>\(?[A-J]\)?) is "
    r"(?:the )?(?:correct|right)(?: (?:answer|option|choice|one))?",
    re.IGNORECASE,
)
HEADING = re.compile(r"#* *(?:the )?(?:final |correct )*answers? +(?=[^\sA-Za-z])", re.IGNORECASE)
WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
MATHEMATICAL = re.compile(
    r"[<>]|\\(?:le|ge|ne|in|approx|equiv|sim|to|implies|iff|pm|mp)(?![A-Za-z])"
)
# What is said of an answer, and not the answer: "the square of the answer is 25".
OF_ANOTHER = word_set(
    """
    answer answers part guess bound square cube twice half double triple negative opposite inverse
    reciprocal squared cubed loss debt deficit error
    """
)
