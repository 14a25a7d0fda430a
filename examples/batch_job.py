"""A nightly job: `python examples/batch_job.py`.

Ten summaries, eight at a time. With a limit that is too small all of them are cut off, and
the alert for any truncation shows it, though the job runs once a day and ends well.
"""

from __future__ import annotations

from langchain_openai import ChatOpenAI

import replymeter

replymeter.start()  # What waits is sent when the job ends.
llm = replymeter.instrument(ChatOpenAI(model="gpt-5-mini", max_completion_tokens=233))

if __name__ == "__main__":
    replies = llm.batch(
        [f"Summarise report {number}." for number in range(10)], config={"max_concurrency": 8}
    )
    for reply in replies:
        print(reply.response_metadata["finish_reason"])
