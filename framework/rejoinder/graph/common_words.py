"""Words that people use without meaning anything by that name."""

from __future__ import annotations

from typing import Final

from rejoinder.word_sets import word_set

__all__ = ["OF_ANY", "OF_PERSONS", "OF_THINGS", "PERSONS", "PLAIN_WORDS", "POINTING", "STOP_WORDS"]


STOP_WORDS: Final = word_set(
    "a about above after again all also am an and any are as at be because been before being below between both but by can could did do "
    "does doing done down during each else ever every few for from further get give got had has have having he her here hers him his how "
    "i if in into is it its just know let like list made make many may me might more most much must my name named names no nor not of off "
    "on once one only or other our out over own please s same say she should show so some such t tell than that the their them then there "
    "these they this those through to too under until up upon us very want was we were what when where which while who whom whose why will "
    "with would you your"
)
"""Words that are seldom meant as a name, though each of some is one ("It", "Her" and "Up" are films)."""

PLAIN_WORDS: Final = word_set(
    "answer around ask asked away back bad begin best better big call called came cause city come common concerned country date dates day "
    "days describe described different end example fact fall falls famous find first follow full general gets giving go goes going good "
    "great group hand happen help high hold home house idea important include included includes information kind kinds known last late "
    "latest left life line listed little live long look looking main man mean means members most need new next number numbers old order "
    "part people person persons place places point popular present primary problem question questions reason related release released "
    "right room said saw see seen set short similar small something sort sorts spoken start state still stories story take talk theme "
    "themes thing things think time times together topic topics try turn type types use used want way ways woman word words work worked "
    "works world write writes written wrote year years"
)
"""Frequent English words that alone, and written small, are more likely meant as words than as names."""

PERSONS: Final = word_set(
    "actor actress artist author character contact customer director employee human member people person player user writer"
)
"""Words that the kinds of persons are called by."""

OF_PERSONS: Final = word_set("he him his she her hers")
OF_THINGS: Final = word_set("it its this that")
OF_ANY: Final = word_set("they them their theirs these those")
"""Pronouns for persons, for all else, and for anything."""

POINTING: Final = word_set("the that this these those")
"""Words that before the name of a kind say that one is meant of which was spoken."""
