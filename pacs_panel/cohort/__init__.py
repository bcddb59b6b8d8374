"""Cohorts: a selection of series kept for good, as one file that names every object and every revision."""

from pacs_panel.cohort.compare import Difference, Joined
from pacs_panel.cohort.frozen import Facts
from pacs_panel.cohort.keeping import Cohorts
from pacs_panel.cohort.opened import Cohort
from pacs_panel.cohort.values import Checked, Exported

__all__ = ["Checked", "Cohort", "Cohorts", "Difference", "Exported", "Facts", "Joined"]
