"""The command line: ``wbce fit``, ``predict``, ``evaluate``, ``report``, ``tune`` and ``demo``."""

from __future__ import annotations

import importlib
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from wbce.cli._errors import CommandError
from wbce.cli._in_options import in_options
from wbce.cli._parser import make_parser
from wbce.cli._quiet_warnings import one_line_each
from wbce.cli._standard_output import taking_any_sign

__all__ = ["main"]

_INTERRUPTED, _BROKEN_PIPE = 130, 141  # as shells say it: 128 and the signal's number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``wbce``; by default what the process was started with.

    Returns
    -------
    int
        Exit status: 0 when all went well, 1 when the data or the fit failed, 2 for options that
        do not fit together, 130 after Ctrl-C, 141 when nobody reads the output any more.
    """
    from wbce import __version__

    options = make_parser(f"wbce {__version__}").parse_args(arguments)
    try:
        return _run(options)
    except CommandError as error:
        return _failed(options, str(error), error.exit_code)
    except KeyboardInterrupt:
        if options.debug:
            raise
        print(f"\nwbce {options.command}: interrupted. No file was written.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except (ValueError, OSError, MemoryError) as error:  # the estimator's, in full words
        if options.debug:
            raise
        return _failed(options, in_options(str(error)) or type(error).__name__, 1)
    except Exception as error:  # a fault of ours; still no traceback for who cannot use it
        if options.debug:
            raise
        words = f"{type(error).__name__}: {error}. This should not be: --debug shows where it is."
        return _failed(options, words, 1)


def _run(options: Namespace) -> int:
    module, _, function = options.run.partition(".")
    with taking_any_sign(), one_line_each(options.command):  # imports have warnings too
        # imported here, so that --help does not wait for TensorFlow
        status: int = getattr(importlib.import_module(f"wbce.cli.{module}"), function)(options)
        sys.stdout.flush()
    return status


def _failed(options: Namespace, words: str, status: int) -> int:
    print(f"wbce {options.command}: error: {' '.join(words.split())}", file=sys.stderr)
    return status
