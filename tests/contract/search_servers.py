"""Servers that speak like those our retrievers meet, written from the protocols' descriptions; each has its quirks.

``python -m tests.contract.search_servers KIND [QUIRK...]`` prints its address. Nothing here imports the package under
test. ``GET /asked`` lists what was asked, so that a test can count requests.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DOCUMENTS = [
    ("1", "France", "Paris is the capital of France."),
    ("2", "Gambia", "Banjul is the capital of The Gambia."),
    ("3", "Iron", "Iron is an element whose symbol is Fe."),
    ("4", "Kenya", "Nairobi is the capital of Kenya; its highest point is Mount Kenya."),
    ("5", "France", "The highest point of France is Mont Blanc."),
]


def ranked(query: str) -> list[tuple[tuple[str, str, str], float]]:
    """Documents by how many words they share with the query."""
    wanted = set(query.lower().replace("?", " ").split())
    rows = [(d, float(len(wanted & set(f"{d[1]} {d[2]}".lower().replace(".", "").split())))) for d in DOCUMENTS]
    return sorted(rows, key=lambda row: -row[1])


class Server(ThreadingHTTPServer):
    """One server with its quirks and a list of what it was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[Handler], quirks: set[str]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.quirks = quirks
        self.asked: list[Any] = []
        self.lock = threading.Lock()

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    """What all of them share."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def has(self, quirk: str) -> bool:
        return quirk in self.server.quirks

    def say(self, status: int, content: str, kind: str = "application/json", **headers: str) -> None:
        body = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def read(self) -> str:
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def note(self, what: Any) -> int:
        """Remember what was asked; returns how many calls there have been."""
        with self.server.lock:
            self.server.asked.append(what)
            return len(self.server.asked)

    def do_GET(self) -> None:
        if self.path == "/asked":
            self.say(200, json.dumps(self.server.asked))
        else:
            self.say(404, '{"detail": "Not Found"}')


class SearchR1(Handler):
    """``/retrieve`` of Search-R1 and its flavours."""

    def do_POST(self) -> None:
        asked = json.loads(self.read())
        number = self.note(asked)
        if self.path != "/retrieve":
            self.say(404, '{"detail": "Not Found"}')
        elif self.has("hangs") and number <= 1 + self.has("always"):
            time.sleep(30)
        elif self.has("redirects"):
            self.say(307, "", Location="http://198.51.100.7/retrieve")
        elif self.has("html500") or (self.has("flaky") and number == 1):
            self.say(500, "<html><body>Internal Server Error</body></html>", "text/html")
        elif self.has("busy") and number == 1:
            self.say(429, "slow down", "text/plain", Retry_After="1")
        elif self.has("html200"):
            self.say(200, "<html>Login</html>", "text/html")
        elif self.has("other"):
            self.say(200, '{"results": []}')
        elif self.has("huge"):
            self.say(200, json.dumps({"result": [["x" * 3_000_000]]}))
        elif not asked.get("return_scores"):
            # the original unpacks one list into results and scores
            self.say(500, "ValueError: not enough values to unpack (expected 2, got 1)", "text/plain")
        else:
            if self.has("slow"):
                time.sleep(0.2)
            rows = [self.row(query, asked["topk"] or 3) for query in asked["queries"]]
            self.say(200, json.dumps({"result": rows[:-1] if self.has("loses_one") else rows}))

    def row(self, query: str, k: int) -> list[Any]:
        found = ranked(query)
        if self.has("ignores_topk"):
            k = len(found)
        if self.has("fewer"):
            k = 1
        return [self.entry(document, score) for document, score in found[:k]]

    def entry(self, document: tuple[str, str, str], score: float) -> Any:
        number, title, text = document
        contents = f'"{title}"\n{text}'
        if self.has("strings"):
            return {"document": contents, "score": score}
        shown: dict[str, Any] = {"id": number, "contents": contents}
        if self.has("parts"):
            shown = {"title": title, "text": text, "contents": contents}
        return {"document": shown} if self.has("drops_score") else {"document": shown, "score": score}


class OpenSearch(Handler):
    """``_search`` and ``_msearch`` of an index ``wiki``; it refuses every query that is a language."""

    def do_POST(self) -> None:
        body = self.read()
        if self.path == "/wiki/_search":
            self.say(*self.answered(json.loads(body)))
        elif self.path == "/wiki/_msearch":
            lines = body.splitlines()
            assert body.endswith("\n")
            assert all(json.loads(head) == {} for head in lines[::2])
            rows = []
            for line in lines[1::2]:
                status, answer = self.answered(json.loads(line), is_noted=False)
                rows.append(json.loads(answer) | {"status": status})
            self.note({"size": len(rows)})
            self.say(200, json.dumps({"took": 1, "responses": rows}))
        else:
            self.say(404, '{"error": {"type": "index_not_found_exception"}, "status": 404}')

    def answered(self, body: dict[str, Any], is_noted: bool = True) -> tuple[int, str]:
        if is_noted:
            self.note(body)
        if self.has("needs_password") and not self.headers.get("Authorization", "").startswith("Basic "):
            return 401, "Unauthorized"
        (kind,) = body["query"]
        if kind not in ("multi_match", "match"):
            return 400, json.dumps({"error": {"type": "parsing_exception", "reason": f"unknown query [{kind}]"}})
        query = body["query"][kind]["query"]
        if "poison" in query:
            return 429, json.dumps({"error": {"type": "circuit_breaking_exception", "reason": "too large"}})
        hits = [
            {"_index": "wiki", "_id": n, "_score": score, "_source": {"title": title, "text": text}}
            for (n, title, text), score in ranked(query)[: body["size"]]
            if score > 0
        ]
        return 200, json.dumps({"hits": {"total": {"value": len(hits)}, "hits": hits}})


class Web(Handler):
    """Serper, Tavily, Brave and SearXNG at once; it wants the key ``open sesame``."""

    def answered(self, query: str, k: int) -> None:
        keys = [self.headers.get("X-API-KEY"), self.headers.get("X-Subscription-Token")]
        keys.append((self.headers.get("Authorization") or "").removeprefix("Bearer "))
        self.note({"path": self.path, "query": query, "k": k, "at": time.monotonic()})
        if self.has("wants_key") and "open-sesame-0123" not in keys:
            self.say(403, json.dumps({"message": f"no such key: {keys}"}))
            return
        rows = [
            {"title": title, "link": url, "url": url, "snippet": text, "content": text, "description": text}
            for (n, title, text), _ in ranked(query)[:k]
            for url in [f"https://example.org/{n}"]
        ]
        self.say(200, json.dumps({"organic": rows, "results": rows, "web": {"results": rows}, "answerBox": "42"}))

    def do_POST(self) -> None:
        asked = json.loads(self.read())
        assert asked.get("include_answer") in (None, False)
        self.answered(asked.get("q") or asked["query"], asked.get("num") or asked["max_results"])

    def do_GET(self) -> None:
        from urllib.parse import parse_qs, urlsplit

        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "q" in query:
            self.answered(query["q"], int(query.get("count", 5)))
        else:
            super().do_GET()


KINDS: dict[str, type[Handler]] = {"search-r1": SearchR1, "opensearch": OpenSearch, "web": Web}

if __name__ == "__main__":
    served = Server(KINDS[sys.argv[1]], set(sys.argv[2:]))
    print(f"serving at http://127.0.0.1:{served.server_port}", flush=True)
    served.serve_forever()
