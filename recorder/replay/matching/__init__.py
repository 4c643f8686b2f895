"""Does this request match that recorded one; why not, and what is nearest. Pure functions over values.

`criteria` says what is compared, `subject` brings a request into the form in which it is compared, `difference` says
where two of them differ, `explain` makes a miss of it.
"""

from recorder.replay.matching.criteria import DEFAULT, Criteria, parse_criteria
from recorder.replay.matching.difference import Difference
from recorder.replay.matching.miss import Miss, Reason
from recorder.replay.matching.subject import Subject

__all__ = ["DEFAULT", "Criteria", "Difference", "Miss", "Reason", "Subject", "parse_criteria"]
