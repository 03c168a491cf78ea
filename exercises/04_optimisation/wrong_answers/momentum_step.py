"""Wrong answers to `momentum_step` that a student writes; exercises.toml says what is wrong with each."""


def running_mean(gradient, velocity, *, decay=0.9):
    velocity = decay * velocity + (1 - decay) * gradient
    return velocity, velocity


def step_from_the_old_velocity(gradient, velocity, *, decay=0.9):
    return velocity, decay * velocity + gradient


def velocity_forgotten(gradient, velocity, *, decay=0.9):
    return decay * velocity + gradient, gradient


def minus_twice(gradient, velocity, *, decay=0.9):
    velocity = decay * velocity + gradient
    return -velocity, velocity


def nesterov(gradient, velocity, *, decay=0.9):
    velocity = decay * velocity + gradient
    return gradient + decay * velocity, velocity


def decay_of_the_gradient(gradient, velocity, *, decay=0.9):
    velocity = velocity + decay * gradient
    return velocity, velocity


def decay_fixed(gradient, velocity, *, decay=0.9):
    velocity = 0.9 * velocity + gradient
    return velocity, velocity
