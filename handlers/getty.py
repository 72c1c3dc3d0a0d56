"""License images at Getty Images, each of them once: a download is what licenses, and cannot be taken back.

    getty:
      url: https://api.gettyimages.com
      auth:
        oauth2:
          token_url: https://authentication.gettyimages.com/oauth2/token
          client_id: the-api-key
          client_secret: {file: secrets/getty}
          style: body
      secrets: {api_key: {env: GETTY_API_KEY}}
      handler: handlers.getty:license_image
      timeout: 60s

Getty knows no repetition by itself. So the history of the image is asked first (getty_answers.py), and that
a download begins is written down before it does: what was begun and is not in the history is not begun
again, but by a person.

https://developers.gettyimages.com/api/
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from gateway import Endpoint, Event, Response, RetryLater, Unanswered, Undeliverable
from handlers.getty_answers import API, UNAUTHORIZED, check, download_of, licence, mark_of
from handlers.rights import asset_id

HISTORY_LAGS = timedelta(minutes=15)
LOOK_AGAIN = 300
"""Seconds."""
LONGEST_NOTES = 250
TIMED_OUT = 408


async def license_image(
    event: Event,
    endpoint: Endpoint,
    *,
    product_id: int | None = None,
    product_type: str | None = None,
    reference: str | None = None,
    notes: str = "",
    project_code: str | None = None,
) -> Response:
    """Download the event's image for its request, if that was not done before; what the licence is."""
    image, mark = asset_id(event), mark_of(event, reference)
    headers = {"api-key": endpoint.secret("api_key")}
    history = f"/v3/images/{image}/downloadhistory"
    answer = API.expect(await endpoint.request("GET", history, headers=headers))
    if (known := download_of(answer, mark)) is not None:
        return licence(event, image, mark, known)
    since = await endpoint.begin_act(f"{image} {mark}")
    if since is not None:
        raise _unclear(endpoint, image, mark, since)
    product = {"product_id": product_id, "product_type": product_type}
    words = {"download_notes": f"{notes[: LONGEST_NOTES - len(mark) - 1]} {mark}".strip()}
    call = partial(
        endpoint.request,
        "POST",
        f"/v3/downloads/images/{image}",
        json=words | ({"project_code": project_code} if project_code else {}),
        headers=headers,
        query={"auto_download": "false"} | {k: str(v) for k, v in product.items() if v is not None},
    )
    answer = await _once(call, endpoint, f"{image} {mark}")
    check(answer, image)
    return licence(event, image, mark, {**product, "project_code": project_code}, answer)


async def _once(
    download: Callable[[], Awaitable[Response]], endpoint: Endpoint, act: str
) -> Response:
    """What Getty answers. Where it is certain that nothing was licensed, the act may be begun again."""
    try:
        answer = await download()
        if answer.status == UNAUTHORIZED:  # the token may have ended: the next call has a new one
            answer = await download()
    except Unanswered as error:
        if not error.sent:
            await endpoint.act_failed(act)
        raise
    if 400 <= answer.status < 500 and answer.status != TIMED_OUT:
        await endpoint.act_failed(act)
    return answer


def _unclear(endpoint: Endpoint, image: str, mark: str, since: timedelta) -> Exception:
    """What to raise of a download that was begun, and is not in the history."""
    told = (
        f"{image} may have been licensed for {mark} {round(since.total_seconds())} s ago, but Getty's history"
        f" does not have it; if it never does, `gateway redeliver --act-again {endpoint.idempotency_key}`"
        " licenses it"
    )
    return Undeliverable(told) if since >= HISTORY_LAGS else RetryLater(told, after=LOOK_AGAIN)
