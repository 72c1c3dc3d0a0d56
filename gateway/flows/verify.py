"""Who sent this? What a scheme cannot tell from the request alone, the sender's own service is asked."""

from gateway.core.errors import ConfirmationFailed, VerificationFailed
from gateway.core.model import SECOND, Accepted, Call, Micros, Unreachable
from gateway.core.routes import Source
from gateway.core.verifying import Inbound, Verdict
from gateway.flows.certificates import Certificates
from gateway.ports import Clock, Sender
from gateway.telemetry import Telemetry

CONFIRM_TIMEOUT: Micros = 10 * SECOND


class Verify:
    """Proves requests, and confirms the subscriptions that some of them announce."""

    def __init__(self, sender: Sender, clock: Clock, telemetry: Telemetry) -> None:
        self._sender = sender
        self._telemetry = telemetry
        self._certificates = Certificates(sender, clock)

    async def prove(self, source: Source, request: Inbound) -> Verdict:
        """The verdict on a request that is proven. Raises VerificationFailed, CertificateUnavailable."""
        request.certificate = self._certificates.known
        verdict = source.verifier.verify(request)
        if verdict.wants is not None:
            await self._certificates.get(source.name, verdict.wants)
            verdict = source.verifier.verify(request)
        if not verdict.ok:
            raise VerificationFailed(verdict.outcome)
        return verdict

    async def close(self) -> None:
        """Ask nobody anything any more."""
        await self._certificates.close()

    async def confirm(self, source: Source, request: Inbound) -> bool:
        """Confirm the subscription that a proven request announces; False: it announces none.

        Raises ConfirmationFailed: the sender is to announce it again.
        """
        url = source.confirmation(request.body) if source.confirmation is not None else None
        if url is None:
            return False
        call = Call(method="GET", url=url, headers={}, body=b"", timeout=CONFIRM_TIMEOUT)
        outcome = await self._sender.send(call)
        if not isinstance(outcome, Accepted):
            why = "the answer was not 2xx"
            if isinstance(outcome, Unreachable):
                why = f"{outcome.reason} {outcome.detail}".strip()
            raise ConfirmationFailed(f"the subscription could not be confirmed: {why}")
        self._telemetry.emit("source.confirmed", source=source.name)
        return True
