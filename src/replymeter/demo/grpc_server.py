"""The Vertex AI wire cases over gRPC on loopback: ChatVertexAI's async calls know no other way."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
from google.cloud.aiplatform_v1beta1.types import GenerateContentRequest, GenerateContentResponse

from .cases import Case, load_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

_SERVICE = "google.cloud.aiplatform.v1beta1.PredictionService"
_LOST = {"status": "UNAVAILABLE", "message": "connection reset"}


class GrpcServer:
    """PredictionService on 127.0.0.1, insecure; the project in a model's name is the case."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(16, thread_name_prefix="wire-grpc"))
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        methods = {
            "GenerateContent": grpc.unary_unary_rpc_method_handler(self._answer, **_CODEC),
            "StreamGenerateContent": grpc.unary_stream_rpc_method_handler(self._stream, **_CODEC),
        }
        handler = grpc.method_handlers_generic_handler(_SERVICE, methods)
        self._server.add_generic_rpc_handlers((handler,))

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.stop(grace=0).wait(5)

    def url(self, case: str) -> str:
        """What `chat_model("vertexai", url, transport="grpc")` wants."""
        return f"grpc://127.0.0.1:{self._port}/{case}"

    def _answer(self, request: GenerateContentRequest, context: grpc.ServicerContext) -> Any:
        answer = self._part(request, context, "invoke")
        return _response(answer["body"])

    def _stream(
        self, request: GenerateContentRequest, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        answer = self._part(request, context, "stream")
        for event in answer["events"]:
            if "error" in event:
                _abort(context, event["error"])
            yield _response(event)
            self._closing.wait(answer.get("pause", 0))
        if answer.get("break"):
            _abort(context, _LOST)

    def _part(
        self, request: GenerateContentRequest, context: grpc.ServicerContext, mode: str
    ) -> Case:
        answer: Case = load_case("vertexai", request.model.split("/")[1])[mode]
        self._closing.wait(answer.get("delay", 0))
        if answer.get("status", 200) != 200:
            _abort(context, answer["body"]["error"])
        return answer


def _response(body: Mapping[str, Any]) -> Any:
    return GenerateContentResponse.from_json(json.dumps(body), ignore_unknown_fields=True)


def _abort(context: grpc.ServicerContext, error: Mapping[str, Any]) -> None:
    context.abort(grpc.StatusCode[str(error["status"])], str(error["message"]))


_CODEC: dict[str, Callable[..., Any]] = {
    "request_deserializer": GenerateContentRequest.deserialize,
    "response_serializer": GenerateContentResponse.serialize,
}
