"""The pages of the admin listener: what is late or dead, why, and the button that mends it.

Rendered here, with templates/; they work without JavaScript. static/dashboard.js keeps parts of them up to date,
and lets a keyboard do what a mouse does.
"""
