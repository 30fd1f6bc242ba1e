# Python packages of a script, in a folder that later runs find again. Sourced from the project's root.

# Installs what `tests/e2e/NAME/requirements.txt` names, and puts the folder with it into `venv`. All
# versions are written down there: the same packages do the same.
make_venv() { # NAME
  local pins=tests/e2e/$1/requirements.txt
  venv=target/venvs/$1-$(sha256sum <"$pins" | cut -c1-12)
  [ ! -e "$venv/whole" ] || return 0
  rm -rf "$venv"
  python3 -m venv "$venv" || { echo "missing: Python's venv (Debian package python3-venv)" >&2; exit 1; }
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins" \
    || { echo "pip could not install what $pins names: it needs a package index" >&2; exit 1; }
  : >"$venv/whole"
}
