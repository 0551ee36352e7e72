"""Steps that change in place what they, or other steps, still need."""

from collections.abc import Callable
from typing import Any

import stepgrad as sg
from stepgrad.tensor import Tensor

Change = Callable[..., Any]
CHANGES: dict[str, tuple[Change, tuple[tuple[int, ...], ...]]] = {}


def change(*shapes: tuple[int, ...]) -> Callable[[Change], Change]:
    """A step that changes tensors of these shapes in place."""

    def add(step: Change) -> Change:
        CHANGES[step.__name__] = (step, shapes)
        return step

    return add


@change((3, 4), (3, 4))
def swap_by_a_copy(a: Tensor, b: Tensor) -> Any:
    c = a.clone()
    a.copy_(b)
    b.copy_(c)
    return a - b


@change((3, 4), (3, 4))
def swap_of_computed(a: Tensor, b: Tensor) -> Any:
    x, y = b * 1.5, a * 0.5
    a.copy_(x)
    b.copy_(y)


@change((3, 4), (3, 4), (3, 4))
def three_change_places(a: Tensor, b: Tensor, c: Tensor) -> Any:
    x, y, z = b * 1.0, c * 2, a * 3
    a.copy_(x)
    b.copy_(y)
    c.copy_(z)


@change((3, 4), (4,))
def swap_of_two_shapes(a: Tensor, b: Tensor) -> Any:
    y = a.sum(0) + b
    x = a * b + y
    a.copy_(x)
    b.copy_(y)


@change((3, 4), (3, 4))
def each_by_sums_of_the_other(a: Tensor, b: Tensor) -> Any:
    x, y = b * a.sum(1, keepdim=True), a * b.sum(0, keepdim=True)
    a.copy_(x)
    b.copy_(y)
    return a + b


@change((4, 4))
def turned_around(p: Tensor) -> Any:
    p.copy_(p.flip(0) * 2 + p)


@change((4, 4))
def sum_with_its_own_views(p: Tensor) -> Any:
    q = p * 2
    return q + q.T, q - q.flip(0), q * q.sum(1), q.T.exp().sum(0) + q.sum()


@change((4, 4))
def transposed(p: Tensor) -> Any:
    p.copy_(p.T)


@change((5, 4))
def rolled(p: Tensor) -> Any:
    p.copy_(sg.cat([p[1:], p[:1]]))


@change((5, 4))
def picked(p: Tensor) -> Any:
    p.copy_(p[sg.tensor([4, 3, 2, 1, 0])])


@change((4, 4))
def multiplied_by_itself(p: Tensor) -> Any:
    p.copy_(p @ p * 0.1)


@change((4, 4), (4, 4))
def product_added_to_its_factor(p: Tensor, x: Tensor) -> Any:
    y = x @ p
    p.copy_(y * 0.1 + p.T)
    return y


@change((4, 4), (2, 4))
def weight_used_before_and_after_its_update(p: Tensor, x: Tensor) -> Any:
    y = x @ p
    p.sub_(0.1 * (x.T @ y))
    return y @ p


@change((3, 4))
def less_its_mean(p: Tensor) -> Any:
    p.sub_(p.mean())


@change((3, 4))
def over_its_norm(p: Tensor) -> Any:
    p.div_(p.norm())


@change((3, 4))
def softmax_of_itself(p: Tensor) -> Any:
    p.copy_(p.softmax(1))


@change((4,))
def sums_of_its_products(p: Tensor) -> Any:
    p.copy_((p.reshape(4, 1) * p).sum(1) * 0.1)


@change((2, 3, 4))
def reduced_in_place_thrice(p: Tensor) -> Any:
    p.sub_(p.amax(2, keepdim=True))
    p.exp_()
    p.div_(p.sum(2, keepdim=True))


@change((3, 4))
def chain(p: Tensor) -> Any:
    p.add_(1)
    p.mul_(2)
    q = p * 3
    p.sub_(q)
    return q + p


@change((3, 4))
def old_and_new(p: Tensor) -> Any:
    old = p.clone()
    p.mul_(2)
    return p - old


@change((3, 4))
def old_under_another_name(p: Tensor) -> Any:
    old = p * 1
    p.mul_(2)
    return [old, p - old, p]


@change((3, 4), (3, 4))
def through_data(p: Tensor, q: Tensor) -> Any:
    before = (p * q).sum()
    p.data.add_(p.data * 0.1)
    q.data = q.data - p
    return p.sum() + before, q


@change((3, 4))
def view_read_later(p: Tensor) -> Any:
    row, flat, same = p[0], p.reshape(-1)[1:], p.detach()
    p.add_(1)
    return row * 1, flat * 1, same * 1


@change((3, 4))
def view_of_what_was_computed(p: Tensor) -> Any:
    q = p * 2
    row, same = q[0], q.detach()
    q.add_(1)
    return row * 1, same * 1, q


@change((3, 4))
def a_number(p: Tensor) -> Any:
    p.zero_()
    q = p + 1
    p.fill_(3.5)
    return p.sum(), q


@change((3, 4), (4, 3), (4,))
def leaves_and_views_of_leaves(p: Tensor, q: Tensor, r: Tensor) -> Any:
    p.copy_(q.T)
    r.copy_(p[1])
    q.copy_(r.reshape(4, 1))
    return p * 1


@change((3, 4), (3, 4), (3, 4))
def one_value_in_two_places(a: Tensor, b: Tensor, c: Tensor) -> Any:
    x = c * 2
    a.copy_(x)
    b.copy_(x)
    return x


@change((3, 4), (3, 4))
def written_twice(a: Tensor, b: Tensor) -> Any:
    a.mul_(2)
    b.copy_(a)
    a.mul_(3)
    b.add_(a)


@change((3, 4), (4,))
def assigned_by_index(a: Tensor, b: Tensor) -> Any:
    a[0] = b
    a[1, 2:] = b[:2]
    a[sg.tensor([2, 0])] = b
    a[a > 1] = 0.5
    return a * 1


@change((3, 4))
def handed_out(p: Tensor) -> Any:
    q = p
    p.mul_(2)
    return [q, p, p * 1]


@change((3, 4))
def rounded_to_its_own_type(p: Tensor) -> Any:
    p.copy_((p.double() if p.dtype is sg.float32 else p.float()) + 0.1)
    return p * 3
