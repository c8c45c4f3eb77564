"""`rejoinder graph extract`: entities and relations of documents, proposed for a person, and accepted into the graph."""

from __future__ import annotations

import json as json_text
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rejoinder.cli.graph_tenant import Tenant, bar, opened
from rejoinder.cli.output import JsonOption, say
from rejoinder.cli.runtime import load_encoder
from rejoinder.errors import ConflictError, InvalidInputError, NotFoundError
from rejoinder.settings import load_settings

if TYPE_CHECKING:
    from rejoinder.graph.extraction import Extractor, Names, Stated
    from rejoinder.graph.extraction.relations import Labelled
    from rejoinder.graph.schema import GraphSchema
    from rejoinder.models.encoding.encoder import Encoder

__all__ = ["extract"]

_TUNED: Final = "encoder"


def extract(
    tenant: Tenant,
    documents: Annotated[
        list[Path] | None, typer.Argument(help="Texts, UTF-8; the path becomes the source.", metavar="DOC")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="JSON lines to write; set `accept` of each to true or false.")
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            "--examples",
            help='Learn first, from JSON lines {"text": .., "triples": [[subject id, relation, object id], ..]}, and keep it.',
        ),
    ] = None,
    decided: Annotated[
        list[Path] | None,
        typer.Option(
            "--decided", help="With --examples: learn from proposals that were decided on, too; can be repeated."
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune", help="With --examples: train the encoder on them first, some minutes; it finds more then."
        ),
    ] = False,
    accept: Annotated[
        Path | None, typer.Option("--accept", help="Write what was accepted of such a file into the graph.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Propose entities and relations that documents state, or accept proposals.

    The first time needs --examples; what is learned from them is kept for the tenant.
    """
    if accept is not None:
        if documents or out or examples or decided or tune:
            raise InvalidInputError("--accept goes alone: it reads a file of proposals, and no documents")
        _accept(tenant, accept, json=json)
        return
    if (decided or tune) and examples is None:
        raise InvalidInputError("--decided and --tune go with --examples: all is learned anew from these")
    if not documents or out is None:
        raise InvalidInputError("name documents and the file for what they state (--out), or proposals to --accept")
    if out.exists():
        raise ConflictError(f"{out} exists: it may hold decisions, so it is not replaced; name another --out")
    _propose(tenant, documents, out, examples, decided or [], tuning=tune, json=json)


def _propose(
    tenant: str,
    documents: list[Path],
    out: Path,
    examples: Path | None,
    decided: list[Path],
    *,
    tuning: bool,
    json: bool,
) -> None:
    from rejoinder.graph.extraction import Document, GraphNames, labelled, read_proposals, write_proposals

    texts = [Document(str(path), _text(path)) for path in documents]
    stated = _stated(examples) if examples is not None else None
    learned = [row for path in decided for row in labelled(read_proposals(path))]
    with opened(tenant) as graph:
        encoder = load_encoder()
        folder = load_settings().settings.data_dir / "graph_extraction" / tenant / encoder.hash
        names = GraphNames(graph.space)
        figures = None
        if stated is None:
            extractor = _kept(graph.schema, encoder, folder, tenant)
        else:
            extractor, figures = _taught(
                graph.schema, encoder, names, stated, learned, folder, tuning=tuning, silent=json
            )
        proposals = extractor.extract(texts, names)
    count = write_proposals(out, proposals)
    relations = sum(one.relation is not None for one in proposals)
    text = f"{count} proposals, {relations} of them relations, are in {out}. Decide on each (accept: true or false), then: "
    text += f"rejoinder graph extract --accept {out} --tenant {tenant}"
    data = {"out": str(out), "proposals": count, "relations": relations, "learned": figures}
    say(text, json=json, data=data)


def _taught(
    schema: GraphSchema,
    encoder: Encoder,
    names: Names,
    stated: list[Stated],
    learned: list[Labelled],
    folder: Path,
    *,
    tuning: bool,
    silent: bool,
) -> tuple[Extractor, dict[str, float]]:
    """Let an extractor learn, and keep what it learned; return the figures of that too."""
    from rejoinder.graph.extraction import Extractor
    from rejoinder.graph.extraction.tuning import tune

    tuned = None
    if tuning:
        pairs = [*learned, *Extractor(schema, encoder.encode).labelled(stated, names)]
        with bar("training the encoder", shown=not silent) as move:
            tuned = tune(
                encoder, pairs, schema, report=lambda one: move(one.step / one.total, f"step {one.step} of {one.total}")
            )
    extractor = Extractor(schema, encoder.encode, tuned=tuned)
    figures = dict(extractor.fit(stated, names, learned=learned))
    if tuned is None:
        shutil.rmtree(folder / _TUNED, ignore_errors=True)
    else:
        tuned.save(folder / _TUNED)
    extractor.save(folder)
    return extractor, figures


def _kept(schema: GraphSchema, encoder: Encoder, folder: Path, tenant: str) -> Extractor:
    """Return an extractor with what was learned before."""
    from rejoinder.graph.extraction import Extractor
    from rejoinder.graph.extraction.tuning import Tuned

    if not folder.is_dir():
        raise NotFoundError(
            f"nothing was learned yet for tenant {tenant!r} and this encoder: give sentences with what they state (--examples)"
        )
    tuned = Tuned.load(folder / _TUNED, encoder) if (folder / _TUNED).is_dir() else None
    extractor = Extractor(schema, encoder.encode, tuned=tuned)
    extractor.load(folder)
    return extractor


def _accept(tenant: str, path: Path, *, json: bool) -> None:
    from rejoinder.graph.extraction import accept, read_proposals

    proposals = read_proposals(path)
    with opened(tenant) as graph:
        done = accept(proposals, graph)
    undecided = sum(one.accept is None for one in proposals)
    text = (
        f"{done.entities} new entities and {done.relations} relations of {done.documents} documents are in the graph."
    )
    if undecided:
        text += f" {undecided} of {len(proposals)} proposals are not decided on."
    say(text, json=json, data={**asdict(done), "undecided": undecided})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInputError(f"{path} cannot be read: {reason}") from error


def _stated(path: Path) -> list[Stated]:
    from rejoinder.graph.extraction import Stated

    found = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            told = json_text.loads(line)
            triples = tuple((str(subject), str(name), str(object_)) for subject, name, object_ in told["triples"])
            found.append(Stated(str(told["text"]), triples))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f'{path}, line {number}: expected {{"text": .., "triples": [[subject id, relation, object id], ..]}}: '
                f"{type(error).__name__}: {error}"
            ) from error
    return found
