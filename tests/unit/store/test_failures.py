"""Every error of SQLAlchemy becomes one of ours."""

from __future__ import annotations

import inspect

import pytest
from rejoinder.errors import ConflictError, InvalidInputError, RejoinderError, StoreError, StoreUnavailableError
from rejoinder.store.failures import connecting, mapped_errors, our_error
from sqlalchemy import exc

DRIVER_ERRORS = [
    value
    for value in vars(exc).values()
    if inspect.isclass(value) and issubclass(value, exc.DBAPIError) and value is not exc.DBAPIError
]


@pytest.mark.parametrize("error", DRIVER_ERRORS, ids=lambda cls: cls.__name__)
def test_every_driver_error_is_mapped(error: type[exc.DBAPIError]):
    ours = our_error(error("SELECT 1", {}, Exception("broken")))
    expected = {
        "IntegrityError": ConflictError,
        "DataError": InvalidInputError,
        "OperationalError": StoreUnavailableError,
        "InterfaceError": StoreUnavailableError,
    }
    assert type(ours) is expected.get(error.__name__, StoreError)
    assert "broken" in str(ours)


def test_a_lost_connection_is_unavailable():
    lost = exc.DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True)
    assert type(our_error(lost)) is StoreUnavailableError


def test_an_exhausted_pool_is_unavailable():
    assert type(our_error(exc.TimeoutError())) is StoreUnavailableError


def test_our_own_error_comes_through_unchanged():
    own = InvalidInputError("naive")
    assert our_error(exc.StatementError("bad", "INSERT", {}, own)) is own


def test_the_cause_stays():
    cause = exc.IntegrityError("INSERT", {}, Exception("twice"))
    with pytest.raises(ConflictError) as caught, mapped_errors():
        raise cause
    assert caught.value.__cause__ is cause


def test_other_errors_pass():
    assert our_error(ValueError()) is None
    with pytest.raises(ValueError, match="mine"), mapped_errors():
        raise ValueError("mine")


@pytest.mark.parametrize("error", [OSError("no route"), exc.TimeoutError(), RuntimeError("x")], ids=repr)
def test_whatever_goes_wrong_while_connecting_is_unavailable(error: Exception):
    with pytest.raises(StoreUnavailableError), connecting("here"):
        raise error


def test_statements_and_their_values_are_not_in_the_text():
    error = our_error(exc.IntegrityError("INSERT INTO t VALUES (:v)", {"v": "private"}, Exception("twice")))
    assert isinstance(error, RejoinderError)
    assert "private" not in str(error)
