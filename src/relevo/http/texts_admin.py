"""Error texts of the admin API, of API keys and of webhooks, beside those of `texts.py`."""

from typing import Final, Literal

OPERATOR_TEXTS: Final[dict[str, dict[Literal["es", "en"], str]]] = {
    "unauthenticated.admin": {
        "es": "Falta el token de administración: envía Authorization: Bearer con lo que da `relevo admin token`.",
        "en": "There is no admin token: send Authorization: Bearer and what `relevo admin token` prints.",
    },
    "invalid_token.admin": {
        "es": "El token de administración no es válido: `relevo admin token` imprime el que vale.",
        "en": "The admin token is not valid: `relevo admin token` prints the one that is.",
    },
    "invalid_token.key": {
        "es": "La clave de API no es válida o fue revocada: pide una nueva a quien administra este servidor.",
        "en": "The API key is not valid or was revoked: ask whoever operates this server for a new one.",
    },
    "token_expired.key": {
        "es": "La clave de API ha caducado: pide una nueva a quien administra este servidor.",
        "en": "The API key has expired: ask whoever operates this server for a new one.",
    },
    "invalid_token.signature": {
        "es": "La firma no es válida: comprueba el secreto, el cuerpo sin modificar y el reloj.",
        "en": "The signature is not valid: check the secret, the unchanged body and the clock.",
    },
    "forbidden.task": {
        "es": "Esta clave de API no permite la tarea «{task}». Tareas: {known}.",
        "en": 'This API key does not allow the task "{task}". Tasks: {known}.',
    },
    "unknown_task.key": {
        "es": "El campo «tasks» nombra tareas que no existen: {task}. Tareas: {known}.",
        "en": 'The field "tasks" names tasks that do not exist: {task}. Tasks: {known}.',
    },
    "not_found.admin": {
        "es": "Aquí no hay nada: docs/reference/admin-api.md enumera las rutas.",
        "en": "There is nothing here: docs/reference/admin-api.md lists the routes.",
    },
    "not_found.user": {
        "es": "No hay ninguna cuenta de «{user}»: se crea al conceder créditos.",
        "en": 'There is no account of "{user}": a grant makes it.',
    },
    "not_found.key": {
        "es": "No hay ninguna clave de API «{id}».",
        "en": 'There is no API key "{id}".',
    },
    "idempotency_mismatch.act": {
        "es": "La clave «{key}» ya se usó para otra orden: usa una nueva.",
        "en": 'The key "{key}" was used for another order: use a new one.',
    },
    "invalid_request.extra": {
        "es": "El campo «{field}» no existe aquí: corrige su nombre o quítalo.",
        "en": 'There is no field "{field}" here: correct its name or remove it.',
    },
    "invalid_request.two_keys": {
        "es": "«{field}» y la cabecera Idempotency-Key son distintos: envía solo uno.",
        "en": '"{field}" and the header Idempotency-Key differ: send only one of them.',
    },
    "invalid_request.user": {
        "es": "El campo «{field}» debe ser el sub de un usuario: de 1 a 255 caracteres imprimibles.",
        "en": 'The field "{field}" must be a user\'s sub: 1 to 255 printable characters.',
    },
    "invalid_request.user_row": {
        "es": "El campo «{field}» puede ser de varios emisores: escribe emisor:sub. Emisores: {known}.",
        "en": 'The field "{field}" may be of several issuers: write issuer:sub. Issuers: {known}.',
    },
    "invalid_request.credits": {
        "es": "El campo «{field}» debe ser un número de créditos mayor que 0, con 6 decimales como máximo.",
        "en": 'The field "{field}" must be a number of credits above 0, with at most 6 decimals.',
    },
    "invalid_request.moment": {
        "es": "El campo «{field}» debe ser un momento con zona horaria, como 2030-01-31T00:00:00Z.",
        "en": 'The field "{field}" must be a moment with its zone, such as 2030-01-31T00:00:00Z.',
    },
    "invalid_request.past": {
        "es": "El campo «{field}» ya ha pasado: escribe un momento futuro.",
        "en": 'The field "{field}" has passed already: write a moment to come.',
    },
    "invalid_request.available": {
        "es": "Solo hay {available} créditos disponibles: retira esa cantidad como máximo.",
        "en": "Only {available} credits are available: revoke that many at most.",
    },
    "invalid_request.no_grant": {
        "es": "Este usuario no tiene ningún crédito con la clave «{key}»: su historial las muestra.",
        "en": 'This user has no grant with the key "{key}": their history shows the keys.',
    },
    "invalid_request.nothing_left": {
        "es": "No queda nada que retirar del crédito con la clave «{key}»: se gastó, caducó o ya se retiró.",
        "en": 'Nothing is left to take of the grant with the key "{key}": it was spent, expired or taken back.',
    },
    "invalid_request.too_much": {
        "es": "El saldo superaría lo que se puede contar: escribe una cantidad menor.",
        "en": "The balance would be beyond what can be counted: write a smaller amount.",
    },
    "invalid_request.product": {
        "es": "El campo «product» nombra un producto que no está en [topups.webhook]: «{value}».",
        "en": 'The field "product" names a product that is not in [topups.webhook]: "{value}".',
    },
    "invalid_request.product_only": {
        "es": "Los créditos de cada producto están en [topups.webhook]: envía «product» en vez de «credits».",
        "en": 'What each product buys stands in [topups.webhook]: send "product" in place of "credits".',
    },
    "invalid_request.credits_only": {
        "es": "No hay productos en [topups.webhook]: envía «credits».",
        "en": 'There are no products in [topups.webhook]: send "credits".',
    },
}
