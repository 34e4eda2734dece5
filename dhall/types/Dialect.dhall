< BuilderNet | Flashbots | Titan >
