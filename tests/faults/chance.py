"""What the environment says of a run of faults: its chance, and how long it may take."""

import os
import secrets

SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbits(32))
os.environ["FAULTS_SEED"] = str(SEED)  # the processes that share the work have the same
ROUNDS = int(os.environ.get("FAULTS_ROUNDS") or 0)
"""How often to repeat what is left to chance; 0: as often as there is time for by default."""
SECONDS = 300 + 30 * ROUNDS
"""After so many a test hangs."""
