"""Runs the steps of a Dockerfile without a container engine, in a clean folder that has what the engine would send it.

    image.py DOCKERFILE FOLDER [NAME=VALUE…]     build arguments

Each stage gets a folder that stands for its root; COPY copies into it and RUN runs in it, with this machine's programs in place of
the base image's. An instruction that this does not know is an error. Prints the last stage's root and, as JSON, its metadata.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKERFILE, FOLDER = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
GIVEN = dict(argument.split("=", 1) for argument in sys.argv[3:])
# What an image keeps for the engine and for people.
METADATA = {"LABEL", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def context():
    """What .dockerignore lets through. The times are kept, so that what was compiled before is known again."""
    folder = FOLDER / "context"
    shutil.rmtree(folder, ignore_errors=True)
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for name in sorted(exclude_paths(str(ROOT), patterns)):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def within(root, workdir, path):
    """Where a path of the image is in its folder."""
    return root / os.path.normpath(os.path.join(workdir, path)).lstrip("/")


def copy(sources, target, into_folder):
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            destination = target / source.name if into_folder or target.is_dir() else target
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination)
        else:
            sys.exit(f"{DOCKERFILE.name}: COPY: there is no {source}")


def build():
    sent = context()
    stages, root, workdir, variables, metadata = {}, None, "/", {}, {}
    parser = DockerfileParser(path=str(DOCKERFILE), cache_content=True)
    for step in parser.structure:
        instruction, value = step["instruction"], step["value"]
        if instruction == "COMMENT":
            continue
        if instruction == "FROM":
            words = value.split()
            root = FOLDER / "stages" / str(len(stages))
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir(parents=True)
            stages[words[2] if len(words) == 3 else str(len(stages))] = root
            workdir, variables, metadata = "/", {}, {"FROM": words[0]}
        elif instruction == "ARG":
            name, _, default = value.partition("=")
            variables[name] = GIVEN.get(name, default)
        elif instruction == "WORKDIR":
            workdir = os.path.join(workdir, value)
            within(root, workdir, ".").mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY":
            words = shlex.split(value)
            source = sent
            if words[0].startswith("--from="):
                source = stages[words.pop(0).removeprefix("--from=")]
            *sources, target = words
            copy([source / one.lstrip("/") for one in sources], within(root, workdir, target), target.endswith("/"))
        elif instruction == "RUN":
            words = value.split()
            while words[0].startswith("--mount=type=cache,"):
                words.pop(0)
            done = subprocess.run(["sh", "-ec", " ".join(words)], cwd=within(root, workdir, "."), env=os.environ | variables, check=False)
            if done.returncode:
                sys.exit(f"{DOCKERFILE.name}: RUN ended with {done.returncode}: {value}")
        elif instruction in METADATA:
            metadata[instruction] = value
        else:
            sys.exit(f"{DOCKERFILE.name}: {instruction} is not known here")
    return root, metadata


root, metadata = build()
print(json.dumps({"root": str(root), **metadata}))
