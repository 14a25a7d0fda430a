"""A loopback stand-in for the providers' wire, and the real LangChain classes pointed at it."""
