#!/usr/bin/env python3
"""A real identity provider (Canaille) on loopback, with the people, groups and clients of the tests.

provider.py REDIRECT: prints "ready URL". Then it obeys one command a line from standard input, and answers "done" to each:

  audience ID   issue identity tokens for the client ID
  rotate        sign with a new key, and list it
  forge         sign with a new key, and do not list it
  group NAME    put alice into the group NAME and no other
  claims JSON   put these claims in the place of "groups"; "claims" without JSON puts the groups back
"""

import json
import logging
import socket
import sys
import tempfile
import threading

from joserfc.jwk import KeySet, RSAKey

sys.stderr = open("/dev/null", "w")  # noqa: SIM115 - for the life of the process
from canaille import create_app  # noqa: E402

folder = tempfile.TemporaryDirectory()
listener = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{listener.getsockname()[1]}"


def new_key():
    return RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)


app = create_app(
    config={
        "SECRET_KEY": "a secret of the tests alone",
        "SERVER_NAME": url.removeprefix("http://"),
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "sql"},
        "CANAILLE_SQL": {"DATABASE_URI": f"sqlite:///{folder.name}/provider.sqlite"},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [new_key()]},
    }
)
logging.disable()

from canaille.app import models  # noqa: E402
from canaille.backends import Backend  # noqa: E402
from canaille.oidc.userinfo import UserInfo  # noqa: E402
from flask import jsonify, request  # noqa: E402

store = Backend.instance
hidden = None  # the keys to list, if they are not the ones that sign
instead = None  # the claims in the place of "groups"
told = UserInfo.filter


def tell_instead(info, scope):
    claims = told(info, scope)
    if instead is not None:
        claims.pop("groups", None)
        claims.update(instead)
    return claims


UserInfo.filter = tell_instead


@app.before_request
def list_other_keys():
    if hidden and request.path == "/oauth/jwks.json":
        return jsonify(hidden)


@app.before_request
def forget_tokens():
    # Tokens that a person gets within one second are equal, and the store takes an equal one only once.
    if request.path == "/oauth/token":
        for token in store.query(models.Token):
            store.delete(token)


def client(name):
    made = models.Client(
        client_id=name,
        client_secret="secret-of-the-client",
        client_name=name,
        client_uri="http://127.0.0.1",
        redirect_uris=[sys.argv[1]],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "email", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    store.save(made)  # the audience refers to a stored client
    made.audience = [made]
    store.save(made)
    return made


def person(name):
    made = models.User(
        user_name=name,
        formatted_name=name,
        family_name=name,
        emails=[f"{name}@contoso.example"],
        password="correct horse battery",
    )
    store.save(made)
    return made


with app.app_context():
    clients = {name: client(name) for name in ("netcensus", "another")}
    people = {}
    for name in ("alice", "bob"):
        people[name] = person(name)
    group = models.Group(display_name="netcensus-owners", members=[people["alice"]])
    store.save(group)


def obey(line):
    global hidden, instead
    word, _, rest = line.strip().partition(" ")
    keys = app.config["CANAILLE_OIDC"]
    with app.app_context():
        if word == "audience":
            clients["netcensus"].audience = [clients[rest]]
            store.save(clients["netcensus"])
        elif word == "rotate":
            hidden = None
            keys["ACTIVE_JWKS"] = [new_key()]
        elif word == "forge":
            hidden = hidden or KeySet.import_key_set({"keys": keys["ACTIVE_JWKS"]}).as_dict()
            keys["ACTIVE_JWKS"] = [new_key()]
        elif word == "group":
            group.display_name = rest
            store.save(group)
        elif word == "claims":
            instead = json.loads(rest) if rest else None
        else:
            raise SystemExit(f"unknown: {line}")


import werkzeug.serving  # noqa: E402

server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, fd=listener.fileno())
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"ready {url}", flush=True)
for command in sys.stdin:
    obey(command)
    print("done", flush=True)
