"""An agent with a tool, in LangGraph: `python examples/agent.py`.

Each turn of the model is a call of its own: one that asks for the tool, one that answers.
"""

from __future__ import annotations

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

import replymeter


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"It rains in {city}."


replymeter.start()
llm = replymeter.instrument(ChatOpenAI(model="gpt-5-mini", stream_usage=True))
agent = create_agent(llm, [weather])  # The model is instrumented before the graph is built.

if __name__ == "__main__":
    question = {"role": "user", "content": "How is the weather in Oslo?"}
    state = agent.invoke({"messages": [question]}, config={"configurable": {"thread_id": "1"}})
    print(state["messages"][-1].text)
