"""Build the shop's assets: one bundle with its source map for every product page in every language.

The bundles link to each other by digest, so all of them stay in memory until the last one is known. That is what makes this
build need about 1.3 GiB where its sources are 12 KB. Nothing but the standard library is used.
"""

import argparse
import hashlib
import json
import re
import resource
import subprocess
import sys
import tempfile
from array import array
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

SOURCES = Path(__file__).parent / "src"
PAGES = 1240
MESSAGE = re.compile(r"@@([a-z.]+)@@")
JS_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<word>[\w$]+)|(?P<sign>=>|\.\.\.|[=!<>]=+|\+\+|--|&&|\|\||[-+*/%]=|.)""",
    re.DOTALL,
)
CSS_TOKEN = re.compile(
    r"""(?P<skip>/\*.*?\*/)|(?P<text>"[^"]*")|(?P<sign>\s*[{};,]\s*|:\s+)|(?P<space>\s+)|(?P<word>[^\s{};,:"]+|:)""", re.DOTALL
)


@dataclass(slots=True)
class Bundle:
    """One page in one language: its minified text, and for every token of it where that token begins."""

    name: str
    text: str
    offsets: list[int]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def main() -> int:
    options = parse_arguments()
    if options.worker:
        build(Path(options.out), options.scale)
        return 0
    if options.out:
        return run_worker(options.out, options.scale)
    with tempfile.TemporaryDirectory(prefix="asset-build-") as folder:
        return run_worker(folder, options.scale)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the shop's assets.")
    parser.add_argument("--out", help="folder for the manifest (default: a temporary one)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the product pages to build; memory follows it (default: 1)"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_worker(out: str, scale: float) -> int:
    """Build in a process of its own, as bundlers do, and say in their words how it ended."""
    worker = subprocess.Popen([sys.executable, __file__, "--worker", "--out", out, "--scale", str(scale)])
    code = worker.wait()
    if code == 0:
        return 0
    ending = f"was terminated by signal {-code}" if code < 0 else f"exited with status {code}"
    sys.stderr.write(f"error: bundler worker {worker.pid} {ending}\nerror: asset build failed\n")
    return 1


def build(out: Path, scale: float) -> None:
    tokens = read_sources()
    languages = json.loads((SOURCES / "messages.json").read_text(encoding="utf-8"))
    pages = [f"product-{number}" for number in range(1, max(1, round(PAGES * scale)) + 1)]
    say(f"asset build: {len(tokens)} tokens, {len(pages)} pages, {len(languages)} languages")

    bundles: list[Bundle] = []
    for step, (language, messages) in enumerate(languages.items(), start=1):
        translated = [MESSAGE.sub(lambda found, words=messages: words[found[1]], token) for token in tokens]  # type: ignore[misc]
        bundles.extend(bundle(f"{page}.{language}", translated) for page in pages)
        say(f"[{step:>2}/{len(languages)}] bundled {language}: {len(bundles)} bundles, {peak_mib()} MiB in use")

    say("linking bundles and writing source maps")
    manifest = link(bundles)
    out.mkdir(parents=True, exist_ok=True)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    say(f"built {len(manifest)} bundles, {peak_mib()} MiB at the most")


def read_sources() -> list[str]:
    """The tokens of all sources, minified."""
    tokens: list[str] = []
    for path in sorted(SOURCES.glob("*.js")):
        tokens += js_tokens(path.read_text(encoding="utf-8"))
    for path in sorted(SOURCES.glob("*.css")):
        tokens += ["style(`", *css_tokens(path.read_text(encoding="utf-8")), "`);"]
    return tokens


def js_tokens(text: str) -> list[str]:
    """Tokens without comments and white space, but for the one space that keeps two words apart."""
    tokens: list[str] = []
    after_word = False
    for match in JS_TOKEN.finditer(text):
        if match.lastgroup == "skip":
            continue
        is_word = match.lastgroup == "word"
        tokens.append(f" {match[0]}" if is_word and after_word else match[0])
        after_word = is_word
    return tokens


def css_tokens(text: str) -> list[str]:
    """Tokens without comments; white space is kept, as one space, only where it is a combinator or parts values."""
    replacements = {"skip": "", "space": " "}
    tokens = (replacements.get(match.lastgroup or "", match[0].strip()) for match in CSS_TOKEN.finditer(text))
    return [token for token in tokens if token]


def bundle(name: str, tokens: list[str]) -> Bundle:
    head = f"/*{name}*/"
    return Bundle(name, head + "".join(tokens), list(accumulate(map(len, tokens), initial=len(head))))


def link(bundles: list[Bundle]) -> dict[str, dict[str, str]]:
    """Have each bundle preload the next one by its digest, which moves every token of it by the length of that line."""
    digests = [each.digest for each in bundles]
    manifest = {}
    for each, digest, following in zip(bundles, digests, digests[1:] + digests[:1], strict=True):
        line = f'preload("{following}");'
        offsets = array("I", [len(line) + offset for offset in each.offsets])
        manifest[each.name] = {"digest": digest, "next": following, "map": hashlib.sha256(offsets.tobytes()).hexdigest()[:16]}
    return manifest


def peak_mib() -> int:
    """The most memory this process has had so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
