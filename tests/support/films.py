"""A small graph of films, typed and with titles, and questions about it."""

from __future__ import annotations

from rejoinder.graph.schema import GraphSchema
from rejoinder.graph.values import Entity, Relation

SCHEMA = GraphSchema.parse(
    {
        "kinds": {
            "film": {"title": "film", "properties": {"year": "integer", "rating": "number"}},
            "person": {"title": "person"},
            "genre": {"title": "genre"},
            "language": {"title": "language"},
        },
        "relations": {
            "directed_by": {"from": "film", "to": "person", "title": "was directed by", "inverse_title": "directed"},
            "starred": {"from": "film", "to": "person", "title": "starred the actors", "inverse_title": "acted in"},
            "has_genre": {
                "from": "film",
                "to": "genre",
                "title": "is of the genre",
                "inverse_title": "is the genre of",
            },
            "in_language": {"from": "film", "to": "language", "title": "is in the language"},
        },
    }
)

_FILMS = {
    # name: (year, rating, director, actors, genres, language)
    "Braveheart": (1995, 8.3, "Mel Gibson", ("Mel Gibson", "Sophie Marceau"), ("Drama", "War"), "English"),
    "Apocalypto": (2006, 7.8, "Mel Gibson", ("Rudy Youngblood",), ("Drama",), "Maya"),
    "Hacksaw Ridge": (2016, 8.1, "Mel Gibson", ("Andrew Garfield",), ("Drama", "War"), "English"),
    "Maverick": (1994, 7.0, "Richard Donner", ("Mel Gibson", "Jodie Foster"), ("Comedy",), "English"),
    "Superman": (1978, 7.4, "Richard Donner", ("Gene Hackman",), ("Action",), "English"),
    "Scrooged": (1988, 7.0, "Richard Donner", ("Bill Murray",), ("Comedy",), "English"),
    "Wings of Desire": (1987, 7.9, "Wim Wenders", ("Bruno Ganz",), ("Drama",), "German"),
    "Paris, Texas": (1984, 8.1, "Wim Wenders", ("Nastassja Kinski",), ("Drama",), "English"),
    "The American Friend": (1977, 7.4, "Wim Wenders", ("Bruno Ganz", "Dennis Hopper"), ("Drama",), "German"),
    "Downfall": (2004, 8.2, "Oliver Hirschbiegel", ("Bruno Ganz",), ("Drama", "War"), "German"),
}

_ASKED = {
    "directed_by": ("who directed [{}]", "who was the director of [{}]", "who is [{}] directed by"),
    "^directed_by": (
        "which films did [{}] direct",
        "what films were directed by [{}]",
        "films by [{}]",
        "what is the film by [{}]",
    ),
    "starred": ("who acted in [{}]", "who starred in [{}]", "which actors were in [{}]"),
    "^starred": ("which films did [{}] act in", "what films did [{}] star in", "what was [{}] in"),
    "has_genre": ("what genre is [{}]", "what kind of film is [{}]"),
    "in_language": ("what language is [{}] in", "which language do they speak in [{}]"),
    "^directed_by/starred": ("who acted in films directed by [{}]", "which actors were in films by [{}]"),
    "^directed_by/has_genre": (
        "what are the genres of films by [{}]",
        "what genres are the films directed by [{}]",
        "what is the genre of films by [{}]",
    ),
    "directed_by/^directed_by": (
        "which films are by the director of [{}]",
        "what else did the director of [{}] direct",
    ),
    "directed_by/^directed_by/in_language": ("what languages are the films by the director of [{}] in",),
}


def entities() -> list[Entity]:
    """Return the films and all that is said of them."""
    found = {}
    for name, (year, rating, *_) in _FILMS.items():
        found[f"film:{name}"] = Entity(
            id=f"film:{name}", kind="film", name=name, properties={"year": year, "rating": rating}
        )
    for one in relations():
        kind, _, name = one.object.partition(":")
        found.setdefault(one.object, Entity(id=one.object, kind=kind, name=name))
    return list(found.values())


def relations() -> list[Relation]:
    """Return who made what with whom."""
    found = []
    for name, (_, _, director, actors, genres, language) in _FILMS.items():
        film = f"film:{name}"
        found.append(Relation(subject=film, name="directed_by", object=f"person:{director}"))
        found += [Relation(subject=film, name="starred", object=f"person:{actor}") for actor in actors]
        found += [Relation(subject=film, name="has_genre", object=f"genre:{genre}") for genre in genres]
        found.append(Relation(subject=film, name="in_language", object=f"language:{language}"))
    return found


def triples() -> list[tuple[str, str, str]]:
    """Return the relations as (subject, relation, object)."""
    return [(one.subject, one.name, one.object) for one in relations()]


def questions() -> list[tuple[str, str]]:
    """Return masked questions with the paths that they ask for."""
    return [(text.format("X").replace("[X]", "X"), path) for path, texts in _ASKED.items() for text in texts]
