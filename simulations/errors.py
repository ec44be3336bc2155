"""What whoever runs simulations can mend: one sentence on the cause, one on the next step.

A simulated node that breaks a rule is no error but a result; it is in the outcome.
"""


class SimulationError(Exception):
    """Base class. `code` is stable, for programs."""

    code = "simulation-error"
    next_step = ""

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        if next_step is not None:
            self.next_step = next_step


class ScenarioInvalid(SimulationError):
    """A scenario file says something that cannot be."""

    code = "scenario-invalid"
    next_step = "Correct it, then run: placet sim check FILE"


class NoSuchScenario(SimulationError):
    """There is no file and no shipped scenario of that name."""

    code = "no-such-scenario"
    next_step = "See what there is: placet sim list"


class ResultsInvalid(SimulationError):
    """A folder of results is not there, not whole, or of something else."""

    code = "results-invalid"
    next_step = "See what there is: ls results"


class FilesFailed(SimulationError):
    """A file or a folder cannot be read or written."""

    code = "files-failed"
    next_step = (
        "Make room or mend it. What has ended is kept; a broken sweep goes on with:"
        " placet sim resume FOLDER"
    )


class ExtraMissing(SimulationError):
    """A library of an optional extra is not installed."""

    code = "extra-missing"
    next_step = "Install it: pip install 'placet[research]'"
