/** Directories that hold no code of the project's own: tools' state, dependencies, build products. */
export const FOREIGN_DIRECTORIES: ReadonlySet<string> = new Set(
  ".git .hg .svn .towpath node_modules bower_components vendor .venv venv .tox .nox .mypy_cache .pytest_cache __pycache__ .idea .gradle .terraform dist build target out coverage .next .nuxt .cache".split(
    " ",
  ),
);
