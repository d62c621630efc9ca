"""Our address, plain or with the token of a conversation. Pure."""


def is_ours(recipient: str, address: str) -> bool:
    """Our address, or our address with a `+token`."""
    return token_of(recipient, address) is not None


def token_of(recipient: str, address: str) -> str | None:
    """The token of `local+token@domain`, "" without one, None for an address that is not ours."""
    local, _, domain = recipient.strip().rpartition("@")
    our_local, _, our_domain = address.rpartition("@")
    if domain.lower() != our_domain.lower():
        return None
    if local.lower() == our_local.lower():
        return ""
    base, plus, token = local.rpartition("+")
    return token if plus and token and base.lower() == our_local.lower() else None
