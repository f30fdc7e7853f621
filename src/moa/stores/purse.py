"""Money in memory: what each account has left, reserved and settled atomically in one event loop."""

from __future__ import annotations

from dataclasses import dataclass, field

from moa.core.errors import BudgetExceeded
from moa.core.money import Account, Entry, Hold


@dataclass
class Purse:
    """What one account may still reserve. `left` shrinks by what is reserved and spent."""

    limit: float
    left: float
    spent: float = 0.0


@dataclass
class Purses:
    """A Ledger in memory: for runs and for tests. `entries` keeps what was settled, where `keep` is set."""

    keep: bool = False
    entries: list[Entry] = field(default_factory=list)
    _of: dict[str, Purse] = field(default_factory=dict)

    async def reserve(self, accounts: tuple[Account, ...], amount: float) -> Hold:
        """See Ledger."""
        self.take(accounts, amount)
        return Hold(accounts, amount)

    def take(self, accounts: tuple[Account, ...], amount: float) -> None:
        """`reserve`, at once."""
        for account in accounts:
            if self.of(account).left < amount:
                raise exceeded(account, amount, self.of(account).left)
        for account in accounts:
            self.of(account).left -= amount

    def settle(self, hold: Hold, entry: Entry) -> None:
        """See Ledger."""
        spent = entry.cost or 0.0
        for account in hold.accounts:
            purse = self.of(account)
            purse.left += hold.amount - spent
            purse.spent += spent
        if self.keep:
            self.entries.append(entry)

    def of(self, account: Account) -> Purse:
        """The purse of an account."""
        purse = self._of.get(account.name)
        if purse is None:
            purse = self._of[account.name] = Purse(account.limit, account.limit)
        return purse

    def forget(self, accounts: tuple[Account, ...]) -> None:
        """See Ledger."""
        for account in accounts:
            if not account.daily:
                self._of.pop(account.name, None)


def exceeded(account: Account, amount: float, left: float) -> BudgetExceeded:
    """The error that an account has not enough left."""
    return BudgetExceeded(
        f"this call may cost ${amount:.4f}, but of the ${account.limit:.4f} of {account.name} only ${max(left, 0.0):.4f} are left"
        f"{' today' if account.daily else ''}; allow more"
    )
