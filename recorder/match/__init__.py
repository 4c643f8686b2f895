"""Does this request match that recorded one; why not, and what is nearest. Pure functions over values.

`criteria` says what is compared, `subject` brings a request into the form in which it is compared, `difference` says
where two of them differ, `explain` makes a miss of it.
"""

from recorder.match.criteria import DEFAULT, Criteria, parse_criteria
from recorder.match.difference import Difference
from recorder.match.explain import Miss, Reason
from recorder.match.subject import Subject

__all__ = ["DEFAULT", "Criteria", "Difference", "Miss", "Reason", "Subject", "parse_criteria"]
