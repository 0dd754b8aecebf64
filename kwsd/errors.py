"""The errors a person is shown: one clear line that names the thing and the mend."""


class KwsdError(Exception):
    """A failure at run time (exit code 1). Its text is one line for a person to read."""


class UsageError(KwsdError):
    """What was asked for cannot be (exit code 2): a wrong option, file or device name."""


class ModelError(UsageError):
    """A model file that cannot be used: absent, damaged, hostile, or made for something else."""


class AudioError(KwsdError):
    """Audio that cannot be had: no library, no device, a device gone, a file that is no audio."""


class AbsentError(AudioError):
    """A microphone that is not there at the moment."""
