/* SPDX-License-Identifier: MIT */
/*
 * The serial line as a socket, for one client after the other: a connection stands in the place of
 * standard input and output. Between two of them nobody listens; as on a real line, what the guest
 * says then is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "arch/native/native.h"

static char name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
static int listener = -1;
static bool connected;

/* Whoever sees the name is served: it has another one as long as nobody listens. */
static bool socket_listen(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, name, sizeof(name));
    address.sun_path[strlen(name)] = '~';
    unlink(address.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0
           && listen(listener, 1) == 0 && rename(address.sun_path, name) == 0;
}

bool socket_open(const char *path)
{
    if (strlen(path) + sizeof("~") > sizeof(name)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(name, path, strlen(path) + 1);
    return socket_listen() && socket_accept();
}

bool socket_accept(void)
{
    int client = accept(listener, NULL, NULL);
    if (client < 0)
        return errno == EINTR || errno == ECONNABORTED;
    connected = dup2(client, STDIN_FILENO) >= 0 && dup2(client, STDOUT_FILENO) >= 0;
    close(client);
    return connected;
}

int socket_waiting(void)
{
    return connected ? -1 : listener;
}

bool socket_leave(void)
{
    connected = false;
    return listener >= 0;
}

void socket_remove(void)
{
    if (listener >= 0)
        unlink(name);
}
