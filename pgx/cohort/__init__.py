"""Many inputs: plan, run, resume, gather, summarise.

Results go into one SQLite file as they come (`state`), written by one process; the tables, the summary and
the page are made from it at the end, in input order. So a run that was killed, cut into slices or spread
over a cluster gives the same bytes as one without a break.
"""

from pgx.cohort.merge import merge
from pgx.cohort.model import Failure, Job, Plan
from pgx.cohort.outputs import OUTPUTS, Outcome
from pgx.cohort.plan import plan_inputs
from pgx.cohort.progress import Progress
from pgx.cohort.reports import check_reports, write_reports
from pgx.cohort.run import run_cohort
from pgx.cohort.state import FILE_NAME as STATE
from pgx.cohort.stored import one_report
from pgx.options import CohortOptions, PageOptions

__all__ = [
    "OUTPUTS",
    "STATE",
    "CohortOptions",
    "Failure",
    "Job",
    "Outcome",
    "PageOptions",
    "Plan",
    "Progress",
    "check_reports",
    "merge",
    "one_report",
    "plan_inputs",
    "run_cohort",
    "write_reports",
]
