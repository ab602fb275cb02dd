"""An editor: it starts yaml-language-server and speaks the Language Server Protocol with it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

import npm_packages

VERSION = "1.25.0"
"""The newest that runs on the node of Debian."""

WAIT = 60.0
"""Seconds until a server that says nothing has failed."""

CURSOR = "¦"

SETTINGS = {
    "schemaStore": {"enable": False},
    "format": {"enable": False},
    "validate": True,
    "hover": True,
    "completion": True,
}

ABLE = {
    "textDocument": {
        "completion": {
            "completionItem": {"snippetSupport": True, "documentationFormat": ["markdown", "plaintext"]}
        },
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "publishDiagnostics": {},
    },
    "workspace": {"configuration": True},
}


@dataclass(frozen=True)
class Offer:
    """One line of a completion list: what it is called, what it writes, what is told of it."""

    label: str
    writes: str
    tells: str


@dataclass(frozen=True)
class Mark:
    """A wavy line: where it begins (line and column from 1) and what it says."""

    line: int
    column: int
    says: str


@dataclass
class Editor:
    """One running server with one schema for every file. A text's cursor is where CURSOR stands in it."""

    schema: Path | None
    _server: subprocess.Popen[bytes] = field(init=False)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _heard: threading.Condition = field(default_factory=threading.Condition)
    _answers: dict[int, Any] = field(default_factory=dict)
    _marks: dict[str, list[Any]] = field(default_factory=dict)
    _gone: bool = False

    # ── what a person does ───────────────────────────────────────────────────────────────────
    def completions(self, text: str) -> dict[str, Offer]:
        """What is offered at the cursor, by label."""
        found = self._ask_at("textDocument/completion", text)
        offers = (
            Offer(item["label"], item.get("insertText") or "", _text(item.get("documentation")))
            for item in found["items"]
        )
        return {offer.label: offer for offer in offers}

    def hover(self, text: str) -> str:
        """What is shown when the pointer rests at the cursor; "" for nothing."""
        found = self._ask_at("textDocument/hover", text)
        return _text(found["contents"]) if found else ""

    def marks(self, text: str, file: Path | None = None) -> list[Mark]:
        """The wavy lines of a text, from top to bottom."""
        uri = self._open(text, file)
        starts = [(found["range"]["start"], found["message"]) for found in self._marks[uri]]
        return sorted(
            (Mark(at["line"] + 1, at["character"] + 1, says) for at, says in starts),
            key=lambda mark: (mark.line, mark.column),
        )

    # ── the protocol ─────────────────────────────────────────────────────────────────────────
    def __enter__(self) -> Editor:
        package = npm_packages.installed(f"yaml-language-server@{VERSION}")
        program = package / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
        self._server = subprocess.Popen(
            ["node", str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        threading.Thread(target=self._listen, daemon=True).start()
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": ABLE})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": {"yaml": self._settings()}})
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("shutdown", None)
        self._tell("exit", None)
        self._server.wait(WAIT)
        assert self._server.stdin is not None
        self._server.stdin.close()

    def _settings(self) -> dict[str, Any]:
        schemas = {self.schema.as_uri(): "*.yaml"} if self.schema else {}
        return {**SETTINGS, "schemas": schemas}

    def _ask_at(self, method: str, text: str) -> Any:
        before, _, after = text.partition(CURSOR)
        uri = self._open(before + after)
        line = before.count("\n")
        place = {"line": line, "character": len(before.rpartition("\n")[2])}
        return self._ask(method, {"textDocument": {"uri": uri}, "position": place})

    def _open(self, text: str, file: Path | None = None) -> str:
        """The address of a document that the server has looked at."""
        uri = file.as_uri() if file else f"file:///nowhere/{next(self._numbers)}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        with self._heard:
            assert self._heard.wait_for(lambda: uri in self._marks or self._gone, WAIT), "no diagnostics"
        assert not self._gone, "the language server ended"
        return uri

    def _ask(self, method: str, parameters: Any) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": parameters})
        with self._heard:
            assert self._heard.wait_for(lambda: number in self._answers or self._gone, WAIT), method
            assert not self._gone, "the language server ended"
            answer = self._answers.pop(number)
        assert "error" not in answer, answer
        return answer["result"]

    def _tell(self, method: str, parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin is not None
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._server.stdin.flush()

    def _listen(self) -> None:
        pipe = self._server.stdout
        assert pipe is not None
        with pipe:
            while (message := _read(pipe)) is not None:
                with self._heard:
                    self._take(message)
                    self._heard.notify_all()
        with self._heard:
            self._gone = True
            self._heard.notify_all()

    def _take(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"method": "workspace/configuration", "id": number, "params": {"items": items}}:
                wanted = [self._settings() if item.get("section") == "yaml" else None for item in items]
                self._send({"id": number, "result": wanted})
            case {"method": "textDocument/publishDiagnostics", "params": {"uri": uri, "diagnostics": marks}}:
                self._marks[uri] = marks
            case {"method": _, "id": number}:
                self._send({"id": number, "result": None})
            case {"id": number}:
                self._answers[number] = message


def _read(pipe: IO[bytes]) -> Any:
    """The next message, or None when there is none any more."""
    length = 0
    while (line := pipe.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(pipe.read(length)) if line else None


def _text(documentation: Any) -> str:
    if isinstance(documentation, dict):
        return str(documentation["value"])
    return str(documentation or "")
