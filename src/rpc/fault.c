/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/fault.h"

const char *mnet_fault_text(int code)
{
    switch (code) {
    case MNET_FAULT_INVALID:
        return "This is no MNET message.";
    case MNET_FAULT_NO_SIGNATURE:
        return "The message is not signed.";
    case MNET_FAULT_BAD_SIGNATURE:
        return "The signature is not by the certificate known for you here.";
    case MNET_FAULT_METHOD_NAME:
        return "This is no name of a method.";
    case MNET_FAULT_PERMISSION:
        return "There is no such method, or it is not published to you.";
    case MNET_FAULT_NO_SYSTEM_METHOD:
        return "There is no such system method.";
    case MNET_FAULT_UNKNOWN_PEER:
        return "wrong-wwwroot";
    case MNET_FAULT_PLAINTEXT:
        return "Messages must be signed and encrypted.";
    case MNET_FAULT_NOT_OPENED:
        return "mnet/encryption-invalid";
    case MNET_FAULT_KEY_CHANGED:
        return "The key has changed.";
    case MNET_FAULT_CLOCK:
        return "The time of the message is too far from the time here.";
    case MNET_FAULT_REPLAY:
        return "This message was received before.";
    case MNET_FAULT_WWWROOT:
        return "The message is signed in the name of another site than it is sent for.";
    case MNET_FAULT_BACKEND:
        return "The application behind this method failed.";
    case MNET_FAULT_BUSY:
        return "Too busy, try again.";
    default:
        return "The call failed.";
    }
}
