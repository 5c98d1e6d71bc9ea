"""What the task decides over the caller's wish: system prompt, locks, defaults."""

from dataclasses import replace

from relevo.core.errors import Code, GatewayError
from relevo.core.types import Call, ChatWish, Message, Params
from relevo.routing.tasks import Task

_SYSTEM_ROLES = ("system", "developer")


def prepare(wish: ChatWish, task: Task) -> tuple[Call, list[str]]:
    """The canonical call, and the names of the caller's fields that a lock of the task ignored.

    The task's system prompt comes first, then the caller's, then what the messages begin with, in one message:
    several providers want a single system message, at the front.
    """
    ignored = sorted(wish.fields & task.lock)
    system_parts = [task.system] if task.system else []
    messages = wish.messages
    if "system" in task.lock:
        messages = tuple(message for message in messages if message.role not in _SYSTEM_ROLES)
        if not messages:
            raise GatewayError(Code.INVALID_REQUEST, "invalid_request.only_system", field="messages")
    elif wish.system:
        system_parts.append(wish.system)
    if system_parts:
        while messages and messages[0].role in _SYSTEM_ROLES and isinstance(messages[0].content, str):
            system_parts.append(messages[0].content)
            messages = messages[1:]
        messages = (Message(role="system", content="\n\n".join(system_parts)), *messages)
    return Call(messages=messages, params=_params(wish.params, task)), ignored


def _params(params: Params, task: Task) -> Params:
    if "temperature" in task.lock or params.temperature is None:
        params = replace(params, temperature=task.temperature)
    if "max_tokens" in task.lock:
        params = replace(params, max_tokens=None)
    if "tools" in task.lock:
        params = replace(params, tools=(), tool_choice=None)
    if "response_format" in task.lock:
        params = replace(params, response_format=None)
    return params
