"""The account and its public keys."""

from __future__ import annotations

import base64
import binascii
import hashlib

from .. import forms
from ..answers import NO_CONTENT, Answer, Call, not_found, unprocessable
from ..nouns import Key
from ..routes import endpoint

KEYS = "/v2/account/keys"
KEY = "/v2/account/keys/{ssh_key_identifier}"


@endpoint("GET", "/v2/account")
def show(call: Call) -> Answer:
    return Answer(200, {"account": forms.account(call.account)})


@endpoint("GET", KEYS)
def list_keys(call: Call) -> Answer:
    return call.listed("ssh_keys", [forms.key(one) for one in call.account.keys.values()])


@endpoint("POST", KEYS)
def add_key(call: Call) -> Answer:
    public, name = call.text("public_key"), call.text("name")
    fingerprint = fingerprint_of(public)
    if any(one.fingerprint == fingerprint for one in call.account.keys.values()):
        raise unprocessable("SSH Key is already in use on your account")
    return Answer(201, {"ssh_key": forms.key(call.account.add_key(name, public, fingerprint))})


@endpoint("GET", KEY)
def show_key(call: Call) -> Answer:
    return Answer(200, {"ssh_key": forms.key(_key(call))})


@endpoint("PUT", KEY)
def rename_key(call: Call) -> Answer:
    key = _key(call)
    key.name = call.text("name")
    return Answer(200, {"ssh_key": forms.key(key)})


@endpoint("DELETE", KEY)
def remove_key(call: Call) -> Answer:
    del call.account.keys[_key(call).id]
    return NO_CONTENT


def _key(call: Call) -> Key:
    found = find_key(call, call.place["ssh_key_identifier"])
    if found is None:
        raise not_found()
    return found


def find_key(call: Call, identifier: str | int) -> Key | None:
    """A key by its id or its fingerprint."""
    for key in call.account.keys.values():
        if str(identifier) in (str(key.id), key.fingerprint):
            return key
    return None


def fingerprint_of(public: str) -> str:
    """MD5 over the key itself, in pairs of digits. Raises Refused (422) for what is no public key."""
    try:
        kind, encoded = public.split()[:2]
        blob = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise unprocessable("Key invalid, key should be of the format `ssh-type base64 comment`") from error
    if blob[4 : 4 + len(kind)] != kind.encode():
        raise unprocessable("Key invalid, key should be of the format `ssh-type base64 comment`")
    digits = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digits[start : start + 2] for start in range(0, len(digits), 2))
