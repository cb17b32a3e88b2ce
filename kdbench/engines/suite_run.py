"""`kdbench.run`: executes a suite and returns results. The commands `run`, `sweep` and `attribute` use the same parts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.contracts import Engine, Site
from kdbench.engines.dispatch import limited
from kdbench.engines.make import LOCAL, make_engine
from kdbench.engines.session import Session
from kdbench.errors import KdbenchWarning
from kdbench.plugins.loading import Plugins, installed
from kdbench.records.files import record_path
from kdbench.records.profile import Profile
from kdbench.records.provenance import checked_device
from kdbench.storage.cache import default_root
from kdbench.storage.code_digest import forget_code
from kdbench.suite.check import check_suite
from kdbench.suite.model import Suite, raced
from kdbench.suite.plan import plan
from kdbench.suite.shipped import find_suite
from kdbench.suite.source import SuiteSource, read_suite
from kdbench.suite.spec import RunSpec

if TYPE_CHECKING:
    from kdbench.reports.results import Results


def run(
    suite: str | Path,
    overrides: Mapping[str, Any] | Iterable[str] = (),
    *,
    results: str | Path = "results",
    cache: str | Path | None = None,
    engine: str = LOCAL,
    engine_options: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    device: str = "auto",
    trackers: Iterable[str | object] = (),
    profile: bool = True,
    smoke: bool = False,
    redo: bool = False,
    race: bool = False,
    plugins: Plugins | None = None,
) -> Results:
    """Executes the runs of a suite that have no record yet, and returns the results of all.

    `suite` is a file or the name of a shipped suite. `overrides` change it by path: `{"train.epochs": 5, "seeds": [0, 1]}`, or
    texts such as `"train.epochs=5"`. Records go to `results`, data used by all runs to `cache`. `jobs` is the number of
    runs at a time; by default the engine decides. `device` is `auto`, `cpu`, `cuda`, `cuda:N` or `mps`. `trackers` are
    names, specs in YAML, or objects with tracker hooks. With `profile`, students without a profile for this device are
    measured at the end. With `smoke`, models and data are shrunk to check quickly that everything works. With `redo`, recorded
    runs are executed again if the code of their plugins or the files that these read have changed, or if they diverged. With
    `race`, seeds go to rows that are still undecided, as the suite's block `race` says, instead of all of `seeds` to all.

    A run that fails is recorded and does not stop the others; see `Results.failed`. After an interrupt, the same call resumes.
    Raises KdbenchError before anything is executed if the suite, a plugin or an option is invalid.
    """
    plugins = plugins or installed()
    source = read_suite(find_suite(suite), override_texts(overrides))
    site = Site(Path(results).resolve(), (Path(cache) if cache else default_root()).resolve(), checked_device(device), jobs)
    run = SuiteRun.of(source, site, make_engine(plugins, engine, engine_options), plugins, smoke, redo=redo, race=race)
    for tracker in trackers:
        run.track(tracker)
    if race:
        from kdbench.engines.rounds import rounds

        for one in rounds(run):
            one.run.execute()
    else:
        run.execute()
    return run.results(run.profile() if profile and not smoke else None)


def override_texts(overrides: Mapping[str, Any] | Iterable[str]) -> list[str]:
    """Overrides in the form of the command line. Values are written as JSON, which is valid YAML, and keep their types."""
    if isinstance(overrides, Mapping):
        return [f"{path}={json.dumps(value)}" for path, value in overrides.items()]
    return list(overrides)


@dataclass
class SuiteRun:
    """The runs of a suite at a site; `todo` are those without a final record. Nothing is executed before `execute`."""

    source: SuiteSource
    suite: Suite
    session: Session
    specs: list[RunSpec]
    todo: list[RunSpec]
    smoke: bool = False

    @classmethod
    def of(
        cls,
        source: SuiteSource,
        site: Site,
        engine: Engine,
        plugins: Plugins,
        smoke: bool = False,
        lay_out: Callable[[Suite], list[RunSpec]] = plan,
        redo: bool = False,
        race: bool = False,
    ) -> SuiteRun:
        """Checks the suite; `lay_out` turns it into runs. Raises SuiteError if the suite is invalid.

        Warns if code or files have changed since runs were recorded; with `redo`, these runs are executed again. With `race`,
        the runs are all that a race may come to (`kdbench.engines.rounds`). Raises KdbenchError for a race of smoke runs, or
        with an override of `seeds`.
        """
        forget_code()  # in a notebook, modules may have been edited since the last call
        suite = check_suite(source, plugins, smoke=smoke)
        suite = raced(suite, source.overrides) if race else suite
        session = Session(site=limited(site, suite), engine=engine, plugins=plugins)
        specs = lay_out(suite)
        todo = session.pending(specs, redo)
        for message in (*session.changes, *session.diverged):
            warnings.warn(message, KdbenchWarning, stacklevel=2)
        return cls(source, suite, session, specs, todo, smoke)

    def track(self, tracker: str | object) -> None:
        """Adds a tracker: a name, a spec in YAML, or an object with tracker hooks."""
        if isinstance(tracker, str):
            self.session.track(tracker)
        else:
            self.session.plugins.register(tracker, f"tracker {len(self.session.plugins.manager.list_name_plugin())}")

    def execute(self) -> None:
        """Lets plugins check their parameters, then executes `todo`. Raises SuiteError before anything is executed."""
        if self.todo:
            self.check()
            self.session.run(self.todo)

    def check(self) -> None:
        """Lets every plugin check its own parameters (which may import torch) instead of failing after an hour."""
        check_suite(self.source, self.session.plugins, deep=True, smoke=self.smoke)

    def profile(self, on_student: Callable[[str], None] = lambda _: None) -> list[Profile]:
        """Profiles of all students; measures those without a profile for this device. Call it when nothing trains."""
        from kdbench.deploy.profile.profile_students import profile_students

        site, latency = self.session.site, self.suite.latency
        return profile_students(
            self.specs,
            site.results,
            site.cache,
            self.session.plugins,
            site.device,
            batch_sizes=latency.batch_sizes,
            threads=latency.threads,
            on_student=on_student,
        )

    def results(self, profiles: Sequence[Profile] | None = None) -> Results:
        """The results of the recorded runs, with these profiles or those beside the records."""
        from kdbench.reports.results import load

        found = load(self.records, plugins=self.session.plugins, smoke=self.smoke)
        found.measured = profiles
        found.notes += self.session.changes
        return found

    @property
    def records(self) -> list[Path]:
        """The record files of the suite's runs."""
        known = self.session.records
        done = [known[spec.run_id] for spec in self.specs if spec.run_id in known]
        paths = [record_path(self.session.site.results, record.spec.suite, record.run_id) for record in done]
        return [path for path in paths if path.exists()]  # a record of a failure may not have been written

    @property
    def failed(self) -> bool:
        """Whether a run failed, diverged or has no record, which only a race leaves out on purpose."""
        records = self.session.records
        known = [records[spec.run_id].status for spec in self.specs if spec.run_id in records]
        missing = len(known) < len(self.specs) and self.suite.raced is None
        return missing or any(status in ("failed", "diverged") for status in known)
