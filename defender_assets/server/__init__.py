"""The server for agents, by the Model Context Protocol: tools that read the leads of one tenant. No data logic."""
