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

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int listener = -1;
static bool connected;

bool socket_open(const char *path)
{
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0
           && listen(listener, 1) == 0 && socket_accept();
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
        unlink(address.sun_path);
}
