"""The errors that reach a user, each with the exit code the command line gives for it."""


class SensorError(Exception):
    """Root of all errors that Xensor raises on purpose."""

    exit_code = 1


class UsageError(SensorError):
    """The command line or a `--set` is off."""

    exit_code = 2


class ConfigError(SensorError):
    """A configuration file does not say what it must; carries file:line:column."""

    exit_code = 3


class RuleError(SensorError):
    """Rules could not be loaded, or none is left to run."""

    exit_code = 4


class CaptureError(SensorError):
    """A capture cannot be opened, or is damaged; packets before the damage were delivered."""

    exit_code = 5


class OutputError(SensorError):
    """A sink cannot be opened or written."""

    exit_code = 6


class SelfTestError(SensorError):
    """A rule example or a self-test did not come out as it must."""

    exit_code = 7
