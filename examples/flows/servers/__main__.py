"""Install all servers: `python -m examples.flows.servers`. What is installed stays as it is."""

import sys
from concurrent.futures import ThreadPoolExecutor

from examples.flows.servers import alertmanager, node, plone, roundup
from examples.flows.servers.installing import Missing


def main() -> int:
    """Install them side by side; the exit code."""
    try:
        alertmanager.install()  # nothing is installed where what only the system can bring is missing
        node.program()
        with ThreadPoolExecutor() as together:
            for each in [together.submit(of.install) for of in (plone, roundup, node)]:
                each.result()
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    return 0


sys.exit(main())
