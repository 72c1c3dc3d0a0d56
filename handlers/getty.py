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

from functools import partial

from gateway import Endpoint, Event, Response, Undeliverable
from handlers.answers import FINAL, Api
from handlers.getty_answers import download_of, licence, mark_of
from handlers.once import once
from handlers.rights import asset_id

API = Api(vendor="Getty", final=FINAL | {402}, code="ErrorCode", message="ErrorMessage")
LONGEST_NOTES = 250
UNAUTHORIZED, FORBIDDEN = 401, 403
WHY = {"OverageLimitReached": "no download is left in the agreement"}


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
    unclear = f"{image} may have been licensed for {mark}, but Getty's history does not have it"
    answer = await once(endpoint, f"{image} {mark}", call, unclear)
    _check(answer, image)
    return licence(event, image, mark, {**product, "project_code": project_code}, answer)


def _check(answer: Response, image: str) -> None:
    """Raise where the image was not licensed. 403 without a code is of what stands before the API: it may pass."""
    code = API.code_of(answer)
    if answer.status == UNAUTHORIZED or (answer.status == FORBIDDEN and code):
        why = WHY.get(code, "it is not in the agreement, or the key may not license it")
        raise Undeliverable(f"{image} is not licensed, {why}: {API.told(answer)}")
    API.expect(answer)
