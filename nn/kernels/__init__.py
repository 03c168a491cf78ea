"""Forms of the layers' equations that a compiler turns into faster programs. The layers say what; these say how."""
