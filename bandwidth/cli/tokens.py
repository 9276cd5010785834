"""`bandwidth tokens`: how many tokens a second a memory can feed a language model with."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.completion import complete_spec, offering
from bandwidth.cli.offload import check_figure
from bandwidth.cli.options import PRINTED, PrintOptions, SpecsOption, option_value, with_groups
from bandwidth.cli.output import Output, emit
from bandwidth.cli.specs_option import use_specs
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.units import parse_duration_s

if TYPE_CHECKING:
    from bandwidth.machine.facts import Facts
    from bandwidth.results import Record
    from bandwidth.theory import Peak
    from bandwidth.tokens.answer import GpuLayers, TokensAnswer
    from bandwidth.tokens.decode import Split
    from bandwidth.tokens.model import Decoding, LanguageModel
    from bandwidth.tokens.places import AskedHost, Surroundings

RUN, WHERE = "Decoding", "Placement"
DEFAULT_CONTEXT = "4k"
SPLITS = ("layers", "tensor")


@dataclass(frozen=True)
class RunOptions:
    """How the model is run."""

    context: Annotated[
        str, typer.Option(metavar="N", help="Length of the context, in tokens.", rich_help_panel=RUN)
    ] = DEFAULT_CONTEXT
    kv: Annotated[
        str, typer.Option(metavar="TYPE", help="Type of the KV cache: f16, q8, q4, fp8.", rich_help_panel=RUN)
    ] = "f16"
    batch: Annotated[int, typer.Option(metavar="N", help="Sequences decoded at once.", rich_help_panel=RUN)] = 1
    active: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Active weights of a mixture of experts: 3B for 30B:Q4_K_M.", rich_help_panel=RUN
        ),
    ] = None
    layers: Annotated[
        int | None, typer.Option(metavar="N", help="Number of layers, where no file states it.", rich_help_panel=RUN)
    ] = None
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads that decode on a CPU.", rich_help_panel=RUN)
    ] = None
    sockets: Annotated[
        int | None, typer.Option(metavar="N", help="Sockets that these threads run on.", rich_help_panel=RUN)
    ] = None


@dataclass(frozen=True)
class WhereOptions:
    """Where the model lies."""

    split: Annotated[
        str,
        typer.Option(
            metavar="WAY",
            autocompletion=offering(SPLITS),
            help="How several GPUs share the model: layers or tensor.",
            rich_help_panel=WHERE,
        ),
    ] = "layers"
    gpu_layers: Annotated[
        str | None,
        typer.Option(metavar="N/ALL", help="Layers on the GPU, the rest on --host: 20/80.", rich_help_panel=WHERE),
    ] = None
    host: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Memory of the other layers: DDR5-6000 x2.", rich_help_panel=WHERE),
    ] = None
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure this machine's memory for `here`.", rich_help_panel=WHERE)
    ] = False
    budget: Annotated[str, typer.Option(metavar="TIME", help="Time for --measure.", rich_help_panel=WHERE)] = "5s"


@with_groups
def tokens(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A .gguf or .safetensors file, an index of them, 70B:Q4_K_M, or 40GB."),
    ],
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="PLACE...",
            autocompletion=complete_spec,
            help="A device, 2 x RTX 3090, DDR5-6000 x2, 433GB/s, a saved record, or here.",
        ),
    ],
    run: RunOptions,
    where: WhereOptions,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw tokens/s over the context: .svg, .png or .pdf.", rich_help_panel=PRINTED
        ),
    ] = None,
    specs_folder: SpecsOption = None,
    *,
    printing: PrintOptions,
) -> None:
    """Estimate tokens per second of a language model from the bandwidth.

    bandwidth tokens 70B:Q4_K_M "M4 Max (40-core GPU)" "2 x RTX 3090" --context 8k

    bandwidth tokens model.gguf "RTX 4090" --gpu-layers 20/80 --host "DDR5-5600 x2"

    bandwidth tokens model.gguf here --measure
    """
    from bandwidth.tokens.model import Decoding
    from bandwidth.tokens.places import AskedHost

    options = printing.checked()
    use_specs(specs_folder)
    check_figure(figure)
    decoding = Decoding(option_value("--context", run.context, _context), run.batch, run.kv.lower())
    shared = _shared(where)
    around = _surroundings(option_value("--budget", where.budget, parse_duration_s) if where.measure else None)
    found_model = _model(model, run.active, run.layers)
    asked = AskedHost(run.threads, run.sockets)
    found = _answer(found_model, decoding, places, asked, _split(where.split), around, where.host, shared)
    _print(found, options, is_measured=where.measure)
    if figure is not None:
        _draw(found, figure)


def _split(text: str) -> Split:
    if text not in SPLITS:
        raise UsageError(f"--split {text[:20]!a} is not known", f"choose from {', '.join(SPLITS)}")
    return "tensor" if text == "tensor" else "layers"


def _shared(where: WhereOptions) -> GpuLayers | None:
    if (where.gpu_layers is None) != (where.host is None):
        raise UsageError(
            "--gpu-layers and --host need each other", "use both: --gpu-layers 20/80 --host 'DDR5-5600 x2'"
        )
    return None if where.gpu_layers is None else option_value("--gpu-layers", where.gpu_layers, _gpu_layers)


def _model(text: str, active: str | None, layers: int | None) -> LanguageModel:
    """Return the model of a file, of an index, or of a text that is no file."""
    from bandwidth.catalog.entries import specs_folder
    from bandwidth.catalog.language_models import read_language_models, read_quantisations
    from bandwidth.tokens.files import read_model
    from bandwidth.tokens.named import Known, named_model

    path = _path(text)
    if path is None:
        known = Known(read_language_models(specs_folder()), read_quantisations(specs_folder()))
        return named_model(text, known, active=active, layers=layers)
    if active is not None or layers is not None:
        raise UsageError(f"{path.name} states its layers and experts", "omit --active and --layers")
    return read_model(path)


def _path(text: str) -> Path | None:
    """Return the path that a text is, None for a size or a name."""
    from bandwidth.tokens.files import is_path

    return Path(text) if is_path(text) else None


def _surroundings(budget_s: float | None) -> Surroundings:
    from bandwidth.catalog.decoding import read_device_fits
    from bandwidth.catalog.entries import specs_folder
    from bandwidth.results.files import load
    from bandwidth.tokens.places import Surroundings

    return Surroundings(
        look=_this_machine,
        load=load,
        measure=None if budget_s is None else lambda: _measured(budget_s),
        fits=read_device_fits(specs_folder()),
    )


def _this_machine() -> tuple[Facts, Peak | None, str]:
    """Return this machine's facts and the peak of its memory, else its processor's, or why none is known."""
    from bandwidth.ceilings.memory import host_theory
    from bandwidth.ceilings.platform import platform_peak
    from bandwidth.machine.probe import collect
    from bandwidth.planning.options import MeasureOptions
    from bandwidth.vocabulary import HOST

    facts = collect()
    theory = host_theory(MeasureOptions(target=HOST).given_memory, facts, facts.integer("sockets") or 1)
    return facts, theory.peak or platform_peak(facts), theory.reason


def _measured(budget_s: float) -> Record:
    from bandwidth.offload.answer import measured_now
    from bandwidth.offload.figures import Asked
    from bandwidth.vocabulary import HOST

    return measured_now(HOST, Asked(), ["bandwidth", *sys.argv[1:]], budget_s).record


def _answer(
    model: LanguageModel,
    decoding: Decoding,
    texts: list[str],
    asked: AskedHost,
    split: Split,
    around: Surroundings,
    host: str | None,
    shared: GpuLayers | None,
) -> TokensAnswer:
    from bandwidth.catalog.decoding import read_host_fit
    from bandwidth.catalog.entries import specs_folder
    from bandwidth.catalog.language_models import read_quantisations
    from bandwidth.tokens.answer import tokens_answer
    from bandwidth.tokens.places import find_places

    found = [place for text in texts for place in find_places(text, asked, split, around)]
    other = None if host is None else find_places(host, asked, split, around)[0]
    if other is not None and other.is_device:
        raise UsageError(f"--host {host!a} is a GPU", "name the host's memory, such as DDR5-5600 x2")
    if shared is not None and not any(place.is_device for place in found):
        raise UsageError("--gpu-layers needs a GPU among the places", "name one, such as RTX 4090")
    folder = specs_folder()
    fit, bits = read_host_fit(folder), read_quantisations(folder)
    return tokens_answer(model, decoding, found, fit, bits, host=other, gpu_layers=shared)


def _print(found: TokensAnswer, options: Output, *, is_measured: bool) -> None:
    from bandwidth.report.tokens import tokens_document

    emit(tokens_document(found, options.unit), options, is_measured=is_measured)


# --- options ----------------------------------------------------------------------------------------------------------


def _context(text: str) -> int:
    """Return the tokens of `8192`, `8k` (8,192) or `1M`."""
    import re

    match = re.fullmatch(r"([0-9]{1,9})([kKmM]?)", text.strip(), re.ASCII)
    if match is None or not int(match[1]):
        raise BandwidthError(f"{text[:40]!a} is not a number of tokens", "write it as 8192 or 8k")
    return int(match[1]) * {"": 1, "k": 1024, "m": 1024**2}[match[2].lower()]


def _gpu_layers(text: str) -> GpuLayers:
    from bandwidth.tokens.answer import GpuLayers

    part, _, whole = text.partition("/")
    if not (part.strip().isdecimal() and whole.strip().isdecimal() and len(text) < 20):
        raise BandwidthError(f"{text[:40]!a} is not a share of the layers", "write it as 20/80")
    return GpuLayers(int(part), int(whole))


def _draw(found: TokensAnswer, path: Path) -> None:
    from bandwidth.report.figures.drawing import draw
    from bandwidth.report.tokens import tokens_figure
    from bandwidth.report.write_up.files import write_whole

    if all(row.rate is None for row in found.rows):
        raise BandwidthError("nothing to draw: the model does not fit any place", "name a place with more memory")
    figure = tokens_figure(found)
    write_whole({path: draw(figure, path.suffix.lower()[1:])})
