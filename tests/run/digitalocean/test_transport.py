"""Requests to the API: said again, given up, translated; and the token, which is nowhere."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.errors import CloudBurstError, ProviderError, Unreachable
from cloudburst.run.digitalocean.account import Account
from cloudburst.run.digitalocean.errors import Ambiguous, ApiRefused
from cloudburst.run.digitalocean.nouns import Rule
from cloudburst.run.digitalocean.transport import Timeouts, Transport, checked_end_point
from cloudburst.run.events import StopSignal
from cloudburst.secret import Secret
from tests.lab.imitation import FOR_EVER, HARSH, PROMPT, Fault

from .clockwork import FAULTS, HASTY, Clockwork, named, paper, struck
from .scripted import Line, scripted

TOKEN = "dop_v1_" + "5ec2e7" * 11
LIST_DROPLETS = "get_all_droplets"
"""By name: the library has no types."""
OUT = Rule("tcp", "0", addresses=("0.0.0.0/0", "::/0"))
NOWHERE = "http://127.0.0.1:9/v2/"
"""Nobody listens at the discard port of this machine."""


@pytest.fixture
def clockwork() -> Clockwork:
    return Clockwork()


def page(key: str, items: list[Any], total: int | None, next_: str | None = None) -> bytes:
    links = {"pages": {"next": next_}} if next_ else {}
    meta = {} if total is None else {"meta": {"total": total}}
    return json.dumps({key: items, "links": links, **meta}).encode()


# ── what may be said twice ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("fault", FAULTS, ids=named)
@pytest.mark.parametrize("what", ["one thing", "list", "delete", "put", "state"])
def test_what_may_be_said_twice_is_said_until_it_is_heard(
    what: str, fault: Fault, clockwork: Clockwork
) -> None:
    with paper(clockwork, PROMPT, fault) as (imitation, account):
        account.create_tag("cloudburst:waves")
        firewall = account.create_firewall("cb-waves", [], [OUT], ["cloudburst:waves"])
        before = len(imitation.exchanges)
        acts: dict[str, tuple[str, str, Callable[[], object]]] = {
            "one thing": ("GET", "/v2/firewalls/*", lambda: account.firewall(firewall.id)),
            "list": ("GET", "/v2/firewalls", lambda: account.firewalls()),
            "delete": ("DELETE", "/v2/firewalls/*", lambda: account.delete_firewall(firewall.id)),
            "put": ("PUT", "/v2/firewalls/*", lambda: account.update_firewall(firewall)),
            "state": ("POST", "/v2/tags", lambda: account.create_tag("cloudburst:other")),
        }
        method, path, act = acts[what]
        imitation.faults.add(struck(fault, method, path))
        act()
        assert imitation.faults.unused() == []
        heard = fault.what == "truncated" and what == "delete"  # there is nothing to cut off a 204
        assert len(imitation.exchanges) - before >= 2 - heard, "it was said again"
        assert heard or clockwork.seconds > 0, "and not at once"
        assert bool(imitation.account.firewalls) == (what != "delete")


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_a_list_is_whole_whichever_of_its_pages_fails(
    fault: Fault, number: int, clockwork: Clockwork
) -> None:
    with paper(clockwork, HARSH, fault) as (imitation, account):  # pages of two, whatever is asked
        for name in "abcde":
            account.create_tag(name)
        imitation.faults.add(struck(fault, "GET", "/v2/tags", page=number))
        assert sorted(tag.name for tag in account.tags()) == list("abcde")
        assert imitation.faults.unused() == []


def test_a_page_that_fails_for_ever_is_an_error_and_not_a_shorter_list(clockwork: Clockwork) -> None:
    with paper(clockwork, HARSH) as (imitation, account):
        for name in "abc":
            account.create_tag(name)
        imitation.faults.add(Fault("GET", "/v2/tags", "500", times=FOR_EVER, page=2))
        with pytest.raises(Unreachable, match=r"DigitalOcean answered 500 to every request to read tags"):
            account.tags()
        imitation.faults.clear()
        imitation.faults.add(Fault("GET", "/v2/tags", "429", times=FOR_EVER, page=2, retry_after=1))
        with pytest.raises(ApiRefused, match="takes no more requests for now"):
            account.tags()


def test_a_list_that_changes_while_it_is_read_is_read_again(clockwork: Clockwork) -> None:
    a, b, c = ({"name": name} for name in "abc")
    answers = [
        Line(body=page("tags", [a, b], 3, "?page=2")),
        Line(body=page("tags", [c], 4)),  # one more since
        Line(body=page("tags", [a, b], 3, "?page=2")),
        Line(body=page("tags", [b], 3)),  # one is there twice: something before it went
        Line(body=page("tags", [a, b], 3)),  # a page too few
        Line(body=page("tags", [], None)[:9]),  # half of one
        Line(body=b'{"message": "all is well"}'),
        Line(body=page("tags", [a, b], 3, "?page=2")),
        Line(body=page("tags", [c], 3)),
    ]
    with scripted(answers) as server:
        found = clockwork.transport(server.end_point).listed("tags", "tags")
    assert [one["name"] for one in found] == list("abc")
    assert len(server.asked) == len(answers)


def test_a_list_that_never_comes_whole_is_an_error(clockwork: Clockwork) -> None:
    sentence = r"list at /v2/tags never came whole: 1 of 2"
    short = Line(body=page("tags", [{"name": "a"}], 2))
    with scripted([short]) as server, pytest.raises(Unreachable, match=sentence) as raised:
        clockwork.transport(server.end_point).listed("tags", "tags")
    assert "half a list" in raised.value.hint
    assert clockwork.seconds <= 120


def test_links_of_an_answer_are_not_followed(clockwork: Clockwork) -> None:
    first = page("tags", [{"name": "a"}], 2, "https://elsewhere.example/v2/tags?page=2&token=please")
    with scripted([Line(body=first), Line(body=page("tags", [{"name": "b"}], 2))]) as server:
        assert len(clockwork.transport(server.end_point).listed("tags", "tags", tag_name="x")) == 2
    assert [target for _, target, _ in server.asked] == [
        "/v2/tags?tag_name=x&per_page=200&page=1",
        "/v2/tags?tag_name=x&per_page=200&page=2",
    ]


def test_a_404_of_somebody_else_is_no_proof_that_a_thing_is_gone(clockwork: Clockwork) -> None:
    page_ = Line(404, b"<html>404 Not Found</html>")
    with scripted([page_, page_, Line(204)]) as server:
        assert clockwork.transport(server.end_point).delete("droplets/1") is True
    for strange in (page_, Line(200, b"<html>Welcome! Please sign in</html>")):
        with scripted([strange]) as server, pytest.raises(Unreachable, match="place is not its API"):
            clockwork.transport(server.end_point).delete("droplets/1")


# ── what is said once ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_a_post_is_sent_once(fault: Fault, clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        timeouts = HASTY if fault.what == "slow" else Timeouts()
        transport = clockwork.transport(imitation.end_point, imitation.token, timeouts=timeouts)
        imitation.faults.add(struck(fault, "POST", "/v2/vpcs"))
        kind = ApiRefused if fault.what == "429" else Ambiguous
        with pytest.raises(kind) as raised:
            transport.send("vpcs", {"name": "cb-waves-nyc3", "region": "nyc3"})
        assert len(imitation.requests("POST", "/v2/vpcs")) == 1
        made = "cb-waves-nyc3" in {vpc.name for vpc in account.vpcs()}
        assert made == fault.is_done_first
        if kind is Ambiguous:
            assert "it is open whether it did create a VPC" in raised.value.message
        transport.close()


outcomes = st.sampled_from(
    [
        Line(202, b'{"droplets": []}'),
        Line(202, b'{"droplets": ['),
        Line(202, b""),
        Line(204),
        Line(301, b"", {"Location": "https://elsewhere.example/"}),
        Line(400, b'{"id": "bad_request", "message": "no"}'),
        Line(403, b"<html>"),
        Line(422, b'{"id": "unprocessable_entity", "message": "no"}'),
        Line(429, b'{"id": "too_many_requests", "message": "no"}', {"Retry-After": "1"}),
        Line(500, b'{"id": "server_error", "message": "no"}'),
        Line(502, b"<html>"),
        Line(200, b"[]"),
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=4))
def test_whatever_is_answered_a_post_is_never_sent_twice(lines: list[Line]) -> None:
    with scripted(lines) as server:
        try:
            Clockwork().transport(server.end_point).send("droplets", {"names": ["a"]})
            done = True
        except (Ambiguous, ApiRefused):
            done = False
    assert len(server.asked) == 1
    assert done == (lines[0].status == 204 or (lines[0].status == 202 and lines[0].body.endswith(b"}")))


def test_a_post_that_never_left_is_not_in_doubt(clockwork: Clockwork) -> None:
    with pytest.raises(Unreachable, match=r"there is no connection to 127\.0\.0\.1:9$") as raised:
        clockwork.transport(NOWHERE).send("droplets", {})
    assert not isinstance(raised.value, Ambiguous)
    assert len(clockwork.waits) > 5, "it was tried again"


# ── waiting ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ({"Retry-After": "12"}, 12.0),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        ({"Retry-After": "Fri, 15 Jan 2017 08:00:30 GMT"}, 0.0),
        ({"Retry-After": "100000"}, 60.0),
    ],
)
def test_it_waits_as_it_is_asked_to(header: dict[str, str], waited: float, clockwork: Clockwork) -> None:
    with scripted([Line(429, TOO_MANY, header), Line(body=b'{"account": {}}')]) as server:
        clockwork.transport(server.end_point).fetch("account")
    assert clockwork.waits == [pytest.approx(waited)]


@pytest.mark.parametrize("header", [{}, {"Retry-After": "soon"}, {"Retry-After": "-5"}, {"Retry-After": ""}])
def test_it_waits_longer_each_time_when_it_is_not_asked(header: dict[str, str], clockwork: Clockwork) -> None:
    with scripted([Line(429, TOO_MANY, header)]) as server, pytest.raises(ApiRefused):
        clockwork.transport(server.end_point, chance=lambda: 1.0).fetch("account")
    assert clockwork.waits[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0]
    assert clockwork.seconds <= 120


TOO_MANY = b'{"id": "too_many_requests", "message": "API rate limit exceeded."}'


def test_who_waits_says_why(clockwork: Clockwork) -> None:
    lines = [Line(429, TOO_MANY, {"Retry-After": "12"}), Line(503), Line(503), Line(503), Line(body=b"{}")]
    with scripted(lines) as server:
        clockwork.transport(server.end_point, chance=lambda: 1.0).fetch("account")
    assert clockwork.said == [
        "DigitalOcean asks to wait 12 s",
        "DigitalOcean answered 503; trying again in 1.0 s",
        "DigitalOcean answered 503; trying again in 2.0 s",
        "DigitalOcean answered 503; trying again in 4.0 s",
    ]


def test_it_keeps_below_the_limits_by_itself(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        for _ in range(600):
            account.facts()
        for _ in range(25):
            account.keys()
        assert {one.status for one in imitation.exchanges} == {200}, "it was never told to slow down"
    assert 120 < clockwork.seconds < 360
    assert "DigitalOcean allows so many requests a minute" in clockwork.said[0]


def test_a_wish_to_stop_wakes_and_ends_waiting() -> None:
    stop = StopSignal()
    waking = threading.Timer(0.05, lambda: (stop.raise_level(), stop.raise_level()))
    with scripted([Line(503, b"{}", {"Retry-After": "50"})]) as server:
        waking.start()
        with pytest.raises(ProviderError, match="stopped while waiting for DigitalOcean"):
            Transport(Secret(TOKEN), end_point=server.end_point, stop=stop).fetch("account")
        waking.join()
    assert len(server.asked) == 1


def test_ctrl_c_passes(clockwork: Clockwork) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with scripted([Line(503)]) as server, pytest.raises(KeyboardInterrupt):
        clockwork.transport(server.end_point, sleep=interrupted).fetch("account")


# ── sentences ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("status", "said", "message", "hint"),
    [
        (401, "Unable to authenticate you.", "does not take the token in DOTOKEN", "put it into DOTOKEN"),
        (403, "You are not authorized.", "may not create droplets", "it needs the scope droplet:create"),
        (403, "missing tag:create", "may not create droplets: missing tag:create", "scope tag:create"),
        (403, "Your account is locked.", "has locked the account: Your account is locked.", "sign in"),
        (404, "not found", "could not create droplets", ""),
        (409, "wait for it", "cannot create droplets now: wait for it", "again"),
        (412, "not yet", "cannot create droplets now: not yet", "again"),
        (422, "Name is no host name.", "refused to create droplets: Name is no host name.", ""),
        (422, "This will exceed your droplet limit.", "your droplet limit", "cloudburst orphans"),
        (429, "API rate limit exceeded.", "takes no more requests for now", "250 a minute"),
    ],
)
def test_a_refusal_is_a_sentence_with_the_apis_own_words(
    status: int, said: str, message: str, hint: str, clockwork: Clockwork
) -> None:
    body = json.dumps({"id": "an_id", "message": said}).encode()
    with scripted([Line(status, body)]) as server, pytest.raises(ApiRefused) as raised:
        clockwork.transport(server.end_point, origin="DOTOKEN").send("droplets", {})
    error = raised.value
    assert message in error.message
    assert hint in error.hint
    assert (error.status, error.id, error.said) == (status, "an_id", said)


def test_a_redirection_is_not_followed(clockwork: Clockwork) -> None:
    away = Line(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"})
    with scripted([away]) as server:
        transport = clockwork.transport(server.end_point)
        with pytest.raises(ApiRefused, match="a redirection"):
            transport.fetch("account")
        with pytest.raises(ApiRefused, match="a redirection"):
            transport.send("droplets", {})
    assert len(server.asked) == 2


def test_no_network_is_a_sentence(clockwork: Clockwork) -> None:
    with pytest.raises(Unreachable, match=r"there is no connection to 127\.0\.0\.1:9") as raised:
        clockwork.transport(NOWHERE).fetch("account")
    assert "is this machine's network up?" in raised.value.hint
    with pytest.raises(Unreachable, match=r"finds no address for nobody\.invalid"):
        clockwork.transport("https://nobody.invalid/v2/").fetch("account")


def test_silence_is_a_sentence(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        imitation.faults.add(Fault("GET", "/v2/account", "slow", times=FOR_EVER, seconds=0.3))
        short = clockwork.transport(imitation.end_point, imitation.token, budget=3.0, timeouts=HASTY)
        with pytest.raises(Unreachable, match="does not answer in time"):
            short.fetch("account")
        short.close()
        imitation.faults.clear()
        account.facts()


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """An https server whose certificate nobody vouches for."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}/v2/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_somebody_who_listens_in_gets_nothing(
    stranger: str, clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    with pytest.raises(Unreachable, match="is none this machine trusts, so nothing was sent") as raised:
        clockwork.transport(stranger).send("droplets", {})
    assert "REQUESTS_CA_BUNDLE" in raised.value.hint
    assert not isinstance(raised.value, Ambiguous)
    assert clockwork.waits == [], "waiting does not make it trustworthy"


# ── where to ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "text",
    ["http://api.digitalocean.com/v2/", "http://10.0.0.1/v2/", "http://198.20.0.1/", "ftp://127.0.0.1/", "v2"]
    + ["", "https://u:p@api.digitalocean.com/v2/", "https://api.digitalocean.com/v2/?a=b", "http://lab/v2/"],
)
def test_an_end_point_that_would_show_the_token_is_refused(text: str, clockwork: Clockwork) -> None:
    with pytest.raises(ProviderError) as raised:
        clockwork.transport(text)
    assert "u:p" not in raised.value.message


@pytest.mark.parametrize(
    "text",
    ["https://api.digitalocean.com/v2", "http://127.0.0.1:1/v2/", "http://[::1]:1/v2", "http://localhost/v2/"]
    + ["http://198.18.77.1:8080/v2/", "http://198.19.255.254/v2/"],
)
def test_others_get_their_last_slash(text: str) -> None:
    assert checked_end_point(text) == text.rstrip("/") + "/"


def test_the_end_point_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITALOCEAN_END_POINT", "http://127.0.0.1:9/v2/")
    assert Transport(Secret(TOKEN)).end_point == "http://127.0.0.1:9/v2/"
    monkeypatch.delenv("DIGITALOCEAN_END_POINT")
    assert Transport(Secret(TOKEN)).end_point == "https://api.digitalocean.com/v2/"


# ── the token ────────────────────────────────────────────────────────────────────────────────
def test_the_token_is_sent_and_shown_nowhere(
    clockwork: Clockwork, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("DIGITALOCEAN_ACCESS_TOKEN", "another")
    echo = json.dumps({"id": TOKEN, "message": f"what is {TOKEN}?"}).encode()
    shown: list[str] = []
    with scripted(
        [Line(401, echo), Line(503), Line(500, b"<html>"), Line(403, echo), Line(body=b"{}")]
    ) as server:
        transport = clockwork.transport(server.end_point, TOKEN)
        for _ in range(5):
            try:
                transport.send("droplets", {})
            except CloudBurstError as error:
                shown += [repr(error), error.message, error.hint, repr(vars(error)), *_told(error)]
    with pytest.raises(Unreachable) as raised:
        clockwork.transport(NOWHERE, TOKEN).fetch("account")
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    shown += _told(raised.value)
    shown += [
        repr(transport),
        str(transport),
        repr(vars(transport)),
        repr(Account(transport)),
        *clockwork.said,
    ]
    shown += [record.getMessage() for record in caplog.records]
    assert [headers["authorization"] for _, _, headers in server.asked] == [f"Bearer {TOKEN}"] * 5
    assert TOKEN not in "\n".join(shown)
    assert "what is ***?" in "\n".join(shown)
    assert caplog.records, "there was something to look at"


def _told(error: BaseException) -> list[str]:
    """A traceback with everything that functions knew, but for this test's own."""
    inner = error.__traceback__ and error.__traceback__.tb_next
    told = traceback.TracebackException(type(error), error, inner, capture_locals=True)
    return [*told.format()]


def test_objects_of_the_library_carry_no_token(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, _):
        transport = clockwork.transport(imitation.end_point, imitation.token)
        lists = (getattr(transport, f"get_all_{name}") for name in ("sizes", "regions", "vpcs"))
        for one in (each for read in lists for each in read()):
            assert imitation.token not in repr(vars(one))
            with pytest.raises(Exception, match="No token provided"):
                one.get_data("account")
        transport.close()


@pytest.mark.parametrize("text", ["", "two words", "a\nline", "ümlaut"])
def test_what_cannot_be_a_token_is_not_sent(text: str) -> None:
    with pytest.raises(ProviderError, match="what is in DIGITALOCEAN_TOKEN is no token") as raised:
        Transport(Secret(text), end_point=NOWHERE)
    assert not text or text not in raised.value.message + raised.value.hint


def test_the_library_makes_no_other_requests(clockwork: Clockwork) -> None:
    transport = clockwork.transport(NOWHERE)
    with pytest.raises(ProviderError, match="wants to POST droplets"):
        transport.get_data("droplets/", type="POST", params={"name": "a"})
    with pytest.raises(ProviderError, match="wants to GET droplets"):
        getattr(transport, LIST_DROPLETS)()
