"""`bandwidth specs`: the catalog of devices, and the check of one's own spec files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bandwidth.cli.completion import complete_device, offering
from bandwidth.cli.options import FormatOption, JsonOption, OutputOption, QuietOption, SpecsOption, UnitOption
from bandwidth.cli.output import Output, emit, say
from bandwidth.cli.specs_option import use_specs
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.units import DEFAULT_RATE_UNIT

ACTIONS = ("list", "show", "search", "validate", "schema")


def _complete_word(context: typer.Context, incomplete: str) -> list[str]:
    return [] if context.params.get("action") == "validate" else complete_device(incomplete)


def specs(
    action: Annotated[
        str,
        typer.Argument(
            metavar="|".join(ACTIONS),
            autocompletion=offering(ACTIONS),
            help="Action: list, show, search, validate or schema.",
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD", autocompletion=_complete_word, help="Words of a device name; for validate, files."
        ),
    ] = None,
    specs_folder: SpecsOption = None,
    format_name: FormatOption = "table",
    as_json: JsonOption = False,
    output: OutputOption = None,
    unit: UnitOption = DEFAULT_RATE_UNIT,
    quiet: QuietOption = False,
) -> None:
    """Search and validate the catalog of memories, links and devices.

    bandwidth specs list instinct

    bandwidth specs show "Quadro RTX 5000"

    bandwidth specs validate my-devices.toml
    """
    options = Output.checked(format_name, as_json, output, unit, quiet)
    use_specs(specs_folder)
    asked = " ".join(words or [])
    if action in ("validate", "schema") and (options.format_name not in ("table", "json") or options.path is not None):
        raise UsageError(f"specs {action} prints one format only", "omit --format and -o")
    if action == "list":
        _list(asked, options)
    elif action == "show":
        _show(asked, options)
    elif action == "search":
        _search(asked, options)
    elif action == "validate":
        _validate([Path(word) for word in words or []])
    elif action == "schema":
        _schema()
    else:
        raise UsageError(f"unknown action {action!a}", f"choose from {', '.join(ACTIONS)}")


def _list(asked: str, options: Output) -> None:
    from bandwidth.catalog import current_catalog
    from bandwidth.report.specs import devices_document
    from bandwidth.theory import peak

    known, rows = current_catalog().devices, []
    wanted = set(known.search(asked)) if asked else None
    for device in known.all():
        if wanted is not None and device.name not in wanted:
            continue
        try:
            rows.append((device, peak(device.memory)))
        except BandwidthError as error:
            where = known.where(device) or device.name
            current_catalog().folders.note_broken(BandwidthError(f"{where}: memory: {error.message}", error.hint))
    emit(devices_document(rows, options.unit), options)


def _show(asked: str, options: Output) -> None:
    from bandwidth.catalog import current_catalog
    from bandwidth.report.specs import entry_document
    from bandwidth.theory import peaks

    if not asked:
        raise UsageError("specs show needs a name", 'such as bandwidth specs show "Quadro RTX 5000"')
    device = current_catalog().devices.find(asked)
    if device is None:
        near = current_catalog().devices.near_names(asked)
        hint = f"did you mean {' or '.join(near)}?" if near else "see bandwidth specs search"
        raise BandwidthError(f"no device named {asked[:60]!a}", hint)
    emit(entry_document(device, peaks(device.name), options.unit), options)


def _search(asked: str, options: Output) -> None:
    from bandwidth.catalog import current_catalog
    from bandwidth.report.specs import names_document

    if not asked:
        raise UsageError("specs search needs a word", "such as bandwidth specs search rtx")
    devices = current_catalog().devices
    names = devices.search(asked)
    if not names:
        near = devices.near_names(asked)
        raise BandwidthError(
            f"no device name contains {asked[:60]!a}", f"did you mean {' or '.join(near)}?" if near else ""
        )
    emit(names_document(names), options)


def _validate(paths: list[Path]) -> None:
    """Check files, or the whole catalog; every fault is a line on standard error, and one makes the exit code 1."""
    from bandwidth.catalog import current_catalog
    from bandwidth.theory.validation import KINDS, faults

    folders = current_catalog().folders
    tables = [table.path for table in folders.own_tables]
    own = [*(folders.own / name for name in KINDS), *folders.own_device_files(), *tables]
    checked = paths or [*own, *folders.users]
    found = faults(checked)
    if found:
        say(*(f"bandwidth: {fault}" for fault in found))
        raise typer.Exit(BandwidthError.exit_code)
    sys.stdout.write(f"{len(checked)} {'file is' if len(checked) == 1 else 'files are'} whole\n")


def _schema() -> None:
    """Print the JSON Schema of each kind of tables."""
    from pydantic import TypeAdapter

    from bandwidth.catalog.model import Device
    from bandwidth.theory.validation import KINDS

    schemas = {name: TypeAdapter(kind).json_schema() for name, kind in {"devices/*.toml": Device, **KINDS}.items()}
    sys.stdout.write(
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "files": schemas}, indent=2) + "\n"
    )
