"""Asked about every address before it is dialled, whoever dials and wherever the address came from."""

from gateway.core.egress import OWN_ADDRESS, EgressPolicy
from gateway.sender.own import OwnAddresses


class Guard:
    """The egress policy, and the gateway's own listeners, which no policy opens."""

    def __init__(self, policy: EgressPolicy, own: OwnAddresses) -> None:
        self._policy = policy
        self._own = own

    def denial(self, host: str, port: int, *, secure: bool) -> str:
        """Why an address is not dialled, and what would allow it; empty where it is."""
        if self._own.hold(host, port):  # first: no flag allows it, whatever range it is in
            reason, flag = OWN_ADDRESS, ""
        else:
            reason = self._policy.refusal(host, port, secure=secure)
            flag = self._policy.cure(host, port, secure=secure) if reason else ""
        cure = f"allow it with {flag}" if flag else "no flag allows this address"
        return f"{host} port {port} ({reason}); {cure}" if reason else ""
