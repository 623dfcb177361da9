"""Write npm-shrinkwrap.json beside a package.json: all dependencies by version and hash, and no address.

npm installs it with `npm ci` from whatever registry it is set to. Existing pins stay, unless --upgrade is given.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# what npm records of a package for people, often with addresses, and the address of the package
LEFT_OUT = ("deprecated", "funding", "license", "resolved")
INSTALL = ("npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund")


def main(folders: list[str], *, upgrade: bool) -> None:
    """Write the pins of each folder that holds a package.json."""
    for folder in map(Path, folders):
        pins = folder / "npm-shrinkwrap.json"
        with tempfile.TemporaryDirectory() as work:
            shutil.copy(folder / "package.json", work)
            if pins.exists() and not upgrade:
                shutil.copy(pins, Path(work, "package-lock.json"))
            subprocess.run([*INSTALL, "--loglevel=error"], cwd=work, check=True)
            lock = json.loads(Path(work, "package-lock.json").read_text())
        for package in lock["packages"].values():
            for name in LEFT_OUT:
                package.pop(name, None)
        text = json.dumps(lock, indent=2) + "\n"
        if "://" in text:
            raise SystemExit(f"{pins} would contain an address")
        pins.write_text(text)


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if name != "--upgrade"], upgrade="--upgrade" in sys.argv)
