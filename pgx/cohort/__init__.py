"""Many inputs: plan, run, resume, gather, summarise.

Results go into one SQLite file as they come (`store`), written by one process; the tables, the summary and
the page are made from it at the end, in input order. So a run that was killed, cut into slices or spread
over a cluster gives the same bytes as one without a break.
What only some runs need is imported from where it is: `merge`, `tables.reports`.
"""

import importlib.util

from pgx.errors import UsageError

try:
    _found = importlib.util.find_spec("pyarrow")  # every table is made with it; it is imported when one is
except ImportError:
    _found = None
if _found is None:
    raise UsageError(
        "cohorts need pyarrow, which cannot be imported", cure="Install it: python -m pip install pyarrow"
    )

from pgx.cohort.jobs import Failure, Job, Plan
from pgx.cohort.plan import plan_inputs
from pgx.cohort.results import OF_PEOPLE, OUTPUTS, Outcome, one_report
from pgx.cohort.run import Progress, run_cohort
from pgx.cohort.store import FILE_NAME as STATE
from pgx.options import CohortOptions, PageOptions

__all__ = [
    "OF_PEOPLE", "OUTPUTS", "STATE", "CohortOptions", "Failure", "Job", "Outcome", "PageOptions", "Plan",
    "Progress", "one_report", "plan_inputs", "run_cohort",
]  # fmt: skip
